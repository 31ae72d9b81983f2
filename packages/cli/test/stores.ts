// A store file with devices, commands and sealed values, filled through the storage contracts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEngine, type Facts, type KeyRing, type Store } from '@espalier/core';
import { ringOf } from '../src/store/keys.ts';

export const T0 = Date.UTC(2026, 0, 1);

/** A temporary folder, removed by `remove`. */
export function temporaryFolder(): { readonly path: (name: string) => string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-cli-'));
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** 32 bytes, the same for the same number, in base64 as a key file has them. */
export function keyText(n: number): string {
  return Buffer.alloc(32, n).toString('base64');
}

/** A ring with a key of {@link keyText} under an id of its own. */
export function ring(n: number, id: string): KeyRing {
  return ringOf({ current: { id, key: Buffer.alloc(32, n) }, earlier: [] });
}

/** Enrols a device; its PushMagic is sealed with the ring. */
export async function enrol(
  store: Store,
  keys: KeyRing,
  id: string,
  name: string | null,
  facts: Facts = {},
): Promise<void> {
  const common = { id, kind: 'device', certificateFingerprint: `pin-${id}`, at: T0, secrets: [] } as const;
  const details = { udid: id, serialNumber: `SN-${id}`, osVersion: '18.3', deviceName: name };
  await store.enrolments.authenticate({ ...common, details, events: [] });
  const update = { channel: 'device', parent: null, topic: 'topic', details: {} } as const;
  await store.enrolments.tokenUpdate({
    ...common,
    ...update,
    token: Buffer.from('token'),
    pushMagic: keys.seal(Buffer.from('magic'), ['push-magic', id]),
    firstEvents: [],
    laterEvents: [],
  });
  await store.inventory.apply({ enrolmentId: id, at: T0, facts, complete: true, event: null });
}

/** Queues a command. */
export async function enqueue(store: Store, commandUuid: string, enrolmentIds: string[], at: number): Promise<void> {
  const command = {
    commandUuid,
    requestType: 'DeviceInformation',
    body: { bytes: Buffer.from('body'), sealed: false },
    priority: 0,
    notBefore: null,
    expiresAt: null,
    dedupeKey: null,
    onDuplicate: 'replace',
    maxAttempts: null,
    onError: 'fail',
    chain: null,
    origin: 'test',
    push: true,
    followUp: true,
  } as const;
  await store.queue.enqueue({ commands: [command], enrolmentIds, at, events: [] });
}

/** Lets the engine make its canary, and seals two secrets. */
export async function sealSome(store: Store, keys: KeyRing): Promise<void> {
  await createEngine({ store, keys }).ready();
  for (const name of ['unlock-token', 'lock-pin']) {
    const blob = keys.seal(Buffer.from(`planted ${name}`), ['secret', 'A', name]);
    await store.secrets.put({ scope: 'A', name, blob, at: T0 });
  }
}
