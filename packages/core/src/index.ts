// @espalier/core: the engine, its storage contracts and the memory store.
export type * from './api/common.ts';
export type * from './api/engine.ts';
export type * from './api/records.ts';
export type * from './contracts/index.ts';
export { CoreError, type CoreErrorDetails, type CoreErrorKind } from './errors.ts';
export { createMemoryStore } from './memory/index.ts';
export { backoffDelay } from './queue/backoff.ts';
