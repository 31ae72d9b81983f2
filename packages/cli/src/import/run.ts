// Imports what a source holds into a store, through the engine, and tells what became of it.
import { createEngine, createKeyRing, createMemoryStore, type Engine, type Store } from '@espalier/core';
import type { ImportSource, SourceEnrolment, SourceMessage } from './types.ts';

/** What became of everything. */
export interface ImportReport {
  /** Enrolments that came over, wholly or in part. */
  readonly devices: number;
  readonly users: number;
  /** Enrolments of which everything was here already. */
  readonly present: number;
  /** Left out: they ended there, or never got to a push token. */
  readonly skipped: number;
  readonly errors: readonly ImportError[];
  /** Why it ended. */
  readonly ended: 'done' | 'interrupted';
}

/** What could not be imported. */
export interface ImportError {
  /** File, line or record. */
  readonly place: string;
  /** The engine's code, such as `core.migration.certificate`; `cli.file` where the record cannot be read. */
  readonly code: string;
  readonly message: string;
  readonly remedy?: string;
}

/** How far it is. */
export interface ImportProgress {
  readonly done: number;
  readonly total: number;
}

type Outcome = 'imported' | 'present' | ImportError;

/** Takes one enrolment, and says what became of it. */
export type Importer = (enrolment: SourceEnrolment) => Promise<Outcome>;

/** Imports through an engine. */
export function importer(engine: Engine): Importer {
  return async ({ messages, fingerprint }) => {
    let imported = false;
    for (const message of messages) {
      const options = fingerprint === undefined ? {} : { fingerprint };
      const outcome = await guarded(message, () => engine.migration.checkin(message.bytes, options));
      if ('code' in outcome) return outcome;
      imported ||= outcome.outcome === 'imported';
    }
    return imported ? 'imported' : 'present';
  };
}

/** Does the same with an empty store in memory, and looks at the real one: nothing is written there. */
export function rehearsal(store: Store): Importer {
  const keys = createKeyRing({ current: { id: 'rehearsal', key: crypto.getRandomValues(new Uint8Array(32)) } });
  const rehearse = importer(createEngine({ store: createMemoryStore(), keys }));
  return async (enrolment) => {
    const outcome = await rehearse(enrolment);
    if (outcome !== 'imported') return outcome;
    const here = await store.enrolments.get(enrolment.id);
    if (here === null || (here.status !== 'active' && here.status !== 'pending')) return 'imported';
    const { fingerprint, messages } = enrolment;
    if (fingerprint !== undefined && here.certificateFingerprint !== fingerprint.toLowerCase()) {
      const message = 'the enrolment is here with another certificate';
      return { place: messages[0]!.place, code: 'core.migration.other_certificate', message };
    }
    return here.status === 'active' ? 'present' : 'imported';
  };
}

async function guarded<T>(message: SourceMessage, step: () => Promise<T>): Promise<T | ImportError> {
  try {
    return await step();
  } catch (error) {
    const { code, message: text, remedy, kind } = error as Error & { code?: string; remedy?: string; kind?: string };
    // What is wrong with a record is told of it; a store that has gone, or a fault of ours, ends it all.
    const itsOwn =
      typeof code === 'string' && typeof kind === 'string' && kind !== 'internal' && kind !== 'unavailable';
    if (!itsOwn) throw error;
    return { place: message.place, code, message: text, ...(remedy === undefined ? {} : { remedy }) };
  }
}

/** Runs it: devices first, then users; several at once, since most of the time is the database's. */
export async function runImport(
  source: ImportSource,
  take: Importer,
  options: {
    readonly concurrency: number;
    readonly interrupted: () => boolean;
    readonly onProgress: (progress: ImportProgress) => void;
  },
): Promise<ImportReport> {
  const counts = { devices: 0, users: 0, present: 0, skipped: 0 };
  /** With its turn, since those that are under way end in any order. */
  const errors: (readonly [turn: number, error: ImportError])[] = [];
  let done = 0;
  const count = (turn: number, channel: SourceEnrolment['channel'], outcome: Outcome): void => {
    if (outcome === 'imported') counts[channel === 'device' ? 'devices' : 'users']++;
    else if (outcome === 'present') counts.present++;
    else errors.push([turn, outcome]);
  };
  const running = new Set<Promise<void>>();
  let users = false;
  let failure: { readonly error: unknown } | null = null as { readonly error: unknown } | null;
  for (const found of source.read()) {
    if (options.interrupted() || failure !== null) break;
    const turn = done++;
    options.onProgress({ done: turn, total: source.total });
    if ('fault' in found) {
      if (found.fault === null) counts.skipped++;
      else errors.push([turn, { place: found.place, code: 'cli.file', message: found.fault }]);
      continue;
    }
    const { channel } = found;
    // A user channel belongs to a device, which has to be here.
    if (channel === 'user' && !users) await Promise.all(running);
    users = channel === 'user';
    const task = take(found)
      .then(
        (outcome) => count(turn, channel, outcome),
        (error: unknown) => {
          failure ??= { error };
        },
      )
      .finally(() => running.delete(task));
    running.add(task);
    if (running.size >= options.concurrency) await Promise.race(running);
  }
  await Promise.all(running);
  if (failure !== null) throw failure.error;
  options.onProgress({ done, total: source.total });
  const inOrder = errors.sort(([a], [b]) => a - b).map(([, error]) => error);
  return { ...counts, errors: inOrder, ended: options.interrupted() ? 'interrupted' : 'done' };
}
