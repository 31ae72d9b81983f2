// The storage contracts, by domain.
export type * from './acme.ts';
export type * from './ade.ts';
export type * from './certificates.ts';
export type * from './configurations.ts';
export type * from './declarations.ts';
export type * from './enrolments.ts';
export type * from './events.ts';
export type * from './inventory.ts';
export type * from './invitations.ts';
export type * from './labels.ts';
export type * from './push.ts';
export type * from './queue.ts';
export type * from './search.ts';
export type * from './secrets.ts';
export type * from './settings.ts';
export type * from './shared.ts';
export type * from './store.ts';
