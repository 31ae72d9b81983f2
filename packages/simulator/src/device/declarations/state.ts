// What a device remembers of declarative management, as plain JSON.
import type { Kind } from './catalogue.ts';

/** A declaration on the device. */
export interface HeldDeclaration {
  readonly kind: Kind;
  readonly identifier: string;
  readonly serverToken: string;
  readonly type: string;
  readonly payload: { readonly [key: string]: unknown };
  /** What the server sent was no declaration. */
  readonly broken?: boolean;
}

/** How a declaration stands, as status reports have it. */
export interface ReportedState {
  readonly identifier: string;
  readonly 'server-token': string;
  readonly active: boolean;
  readonly valid: 'valid' | 'invalid' | 'unknown';
  readonly reasons?: readonly { readonly code: string; readonly description?: string; readonly details?: object }[];
}

/** Declarative management on a device. */
export interface DeclarativeState {
  /** The token of the last manifest that was worked off. */
  token: string | null;
  /** A synchronisation that is to be done: with the token that the command named, `''` when it named none. */
  pending: string | null;
  declarations: HeldDeclaration[];
  /** Profiles that legacy declarations brought: profile identifier and where from, by declaration. */
  profiles: { [declaration: string]: { identifier: string; serverToken: string } };
  /** The status items as the server knows them, each as JSON text. */
  reported: { [item: string]: string };
  /** Synchronisations that went beyond comparing tokens, declarations fetched, and reports sent. */
  counts: { syncs: number; fetched: number; reports: number };
}

/** A device on which declarative management has just been turned on. */
export function newDeclarativeState(): DeclarativeState {
  return {
    token: null,
    pending: null,
    declarations: [],
    profiles: {},
    reported: {},
    counts: { syncs: 0, fetched: 0, reports: 0 },
  };
}
