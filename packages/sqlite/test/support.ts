// What the SQLite tests share: a folder of their own, and the work of a device.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NewCommand, Store } from '@espalier/core';

/** A folder that is removed by `remove`. */
export function temporaryFolder(): { readonly path: string; file(name: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'espalier-sqlite-'));
  return {
    path,
    file: (name) => join(path, name),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** All bytes of all files of a folder. */
export function everyByte(folder: string): Buffer {
  return Buffer.concat(readdirSync(folder).map((name) => readFileSync(join(folder, name))));
}

export const T0 = Date.UTC(2026, 0, 1);
export const backoff = { baseMs: 60_000, maxMs: 3_600_000 };

/** Enrols a device; its pin is its id. */
export async function enrol(store: Store, id: string): Promise<void> {
  await store.enrolments.authenticate({
    id,
    kind: 'device',
    certificateFingerprint: id,
    at: T0,
    details: { udid: id, serialNumber: `S${id}` },
    secrets: [],
    events: [],
  });
  await store.enrolments.tokenUpdate({
    id,
    channel: 'device',
    kind: 'device',
    parent: null,
    certificateFingerprint: id,
    at: T0,
    token: new TextEncoder().encode(`token ${id}`),
    pushMagic: new TextEncoder().encode(`magic ${id}`),
    topic: 'topic',
    details: {},
    secrets: [],
    firstEvents: [],
    laterEvents: [],
  });
}

/** A command. */
export function command(commandUuid: string, options: Partial<NewCommand> = {}): NewCommand {
  return {
    commandUuid,
    requestType: 'DeviceInformation',
    body: { bytes: new TextEncoder().encode(`body ${commandUuid}`), sealed: false },
    priority: 0,
    notBefore: null,
    expiresAt: null,
    dedupeKey: null,
    onDuplicate: 'replace',
    maxAttempts: 20,
    onError: 'fail',
    chain: null,
    origin: 'test',
    push: true,
    followUp: false,
    ...options,
  };
}
