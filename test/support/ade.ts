// A simulated Apple in this process, and syncs of its account in processes of their own: for tests that kill them, and for the benchmark.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createEnrolmentClient, createTokenKeyPair, openServerToken } from '@espalier/ade';
import { type AdeSyncResult, createEngine, createKeyRing, type Store } from '@espalier/core';
import { openPostgresStore } from '@espalier/postgres';
import { createSimulatedEnrolmentService, listenService } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';

/** What a process is to do: JSON, its first argument. */
export interface AdeTask {
  /** A `postgres://` URL, or an SQLite file. */
  readonly store: string;
  readonly accountId: string;
  /** Where the simulated service listens. */
  readonly origin: string;
  readonly leaseMs?: number;
  /** Devices a page. */
  readonly limit?: number;
  /** Whether profiles are assigned, too. */
  readonly assign: boolean;
}

/** What it tells, once it is told to go. `page` comes after each commit; `resident` is its memory in bytes. */
export type AdeReport =
  | { readonly kind: 'listening' }
  | { readonly kind: 'ready'; readonly resident: number }
  | { readonly kind: 'page'; readonly pages: number; readonly resident: number }
  | { readonly kind: 'done'; readonly result: AdeSyncResult; readonly seconds: number };

/** The key that seals the token here and there. */
export const adeKeys = () => createKeyRing({ current: { id: 'test', key: new Uint8Array(32).fill(7) } });

/** Opens the store of a task. */
export async function openAdeStore(store: string): Promise<Store> {
  return store.startsWith('postgres:') ? openPostgresStore(store) : openSqliteStore(store);
}

/** A simulated Apple that listens, and an account for it in the store. */
export async function startAdeApple(store: Store, options: { readonly count: number; readonly seed: string }) {
  const apple = createSimulatedEnrolmentService({ clock: Date, ...options });
  const { origin, close } = await listenService(apple.fetch);
  const pair = await createTokenKeyPair({ clock: Date });
  const token = openServerToken(apple.downloadToken(pair.certificate), pair);
  const engine = createEngine({ store, keys: adeKeys() });
  await engine.ready();
  const client = createEnrolmentClient({ token, clock: Date, origin });
  const { profileUuid } = await client.defineProfile({ profile_name: 'All', url: 'https://mdm.example/enrol/ade' });
  const account = await engine.ade.createAccount({
    ...{ name: 'Simulated', token: JSON.stringify(token), tokenExpiresAt: token.accessTokenExpiry.getTime() },
    defaultProfile: profileUuid,
  });
  return { apple, engine, account, client, profileUuid, origin, close };
}

/** Starts a process; it opens the store and waits to be told. */
export async function startAdeWorker(
  task: AdeTask,
  onReport: (report: AdeReport) => void,
  execArgv: readonly string[] = [],
): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'ade-worker.ts'), [JSON.stringify(task)], {
    execArgv: ['--conditions=espalier-source', ...execArgv],
  });
  const listening = once(child, 'message');
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the process ended early: ${code ?? signal}`);
  });
  await Promise.race([listening, ended]);
  ended.catch(() => undefined);
  child.on('message', (message) => onReport(message as AdeReport));
  return child;
}
