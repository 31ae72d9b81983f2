// Backups as docs/operations.md has them: made while a service writes, restored, checked with the key, and used again.
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { type Io, processIo, run } from '@espalier/cli';
import { createEngine, createKeyRing, masterKey } from '@espalier/core';
import { encodeXml } from '@espalier/plist';
import { openSqliteStore } from '@espalier/sqlite';
import { afterAll, expect, test } from 'vitest';
import { folder } from './support/tools.ts';

const place = folder();
afterAll(() => place.remove());
const at = (name: string) => join(place.path, name);
const key = Buffer.alloc(32, 7);
const keys = createKeyRing({ current: masterKey(key) });
const identity = { fingerprint: 'f'.repeat(64), certificate: new Uint8Array([1]), source: 'tls' } as const;

/** `espalier store check FILE --full --key-file …`, as it would be typed. */
async function check(file: string): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const say = (text: string): void => {
    out.push(text);
  };
  const io: Io = { ...processIo(), out: say, err: say, environment: () => undefined, columns: 80, terminal: false };
  writeFileSync(at('master.key'), key.toString('base64'));
  const code = await run(['store', 'check', file, '--full', '--key-file', at('master.key')], io);
  return { code, out: out.join('\n') };
}

test('SQLite: VACUUM INTO and the online backup are whole, a copy of the file alone is not', async () => {
  const file = at('espalier.sqlite');
  for (const end of ['', '-wal', '-shm']) rmSync(file + end, { force: true });
  const store = openSqliteStore(file);
  const engine = createEngine({ store, keys });
  const checkin = (message: Record<string, string | Uint8Array>) =>
    engine.protocol.checkin(encodeXml({ UDID: 'MAC', Topic: 't', ...message }), identity);
  await checkin({ MessageType: 'Authenticate', ProductName: 'Mac14,7', OSVersion: '15.0' });
  await checkin({ MessageType: 'TokenUpdate', Token: new Uint8Array([1]), PushMagic: 'magic' });
  await engine.devices.lock('MAC', { pin: '123456' });
  const queue = () => engine.commands.enqueue({ enrolmentIds: ['MAC'] }, 'CertificateList', {});

  // The service goes on writing all the while.
  let stop = false;
  let written = 0;
  const writing = (async () => {
    for (; !stop; written++) await queue();
  })();
  await expect.poll(() => written).toBeGreaterThan(50);
  const before = (await engine.commands.stats()).pending;
  const beside = new DatabaseSync(file);
  rmSync(at('vacuum.sqlite'), { force: true });
  beside.exec(`VACUUM INTO '${at('vacuum.sqlite')}'`);
  // In one step: between two, the service's writing would make it begin anew.
  await backup(beside, at('online.sqlite'), { rate: 1_000_000 });
  beside.close();
  copyFileSync(file, at('main-alone.sqlite'));
  const after = written;
  await expect.poll(() => written).toBeGreaterThan(after);
  stop = true;
  await writing;

  for (const name of ['vacuum.sqlite', 'online.sqlite']) {
    // Restored over a file that has a write-ahead log of its own, which must go.
    const restored = at(`restored-${name}`);
    for (const end of ['', '-wal', '-shm']) if (existsSync(file + end)) copyFileSync(file + end, restored + end);
    copyFileSync(at(name), restored);
    for (const end of ['-wal', '-shm']) rmSync(restored + end, { force: true });
    const { code, out } = await check(restored);
    expect([name, code, out]).toEqual([name, 0, out]);
    expect(out).toMatch(/integrity +ok/);
    expect(out).toMatch(/key +ok/);
    const again = openSqliteStore(restored);
    const second = createEngine({ store: again, keys });
    await second.ready();
    expect(await second.devices.lockPin('MAC')).toBe('123456');
    expect((await second.commands.stats()).pending).toBeGreaterThanOrEqual(before);
    expect(await second.protocol.connect(encodeXml({ UDID: 'MAC', Status: 'Idle' }), identity)).not.toBeNull();
    await again.close();
  }
  // What the page warns of: everything that is only in the write-ahead log is missing here.
  const alone = new DatabaseSync(at('main-alone.sqlite'));
  const tables = alone.prepare(`SELECT count(*) AS n FROM sqlite_schema WHERE name = 'pending'`).get() as { n: number };
  const rows = tables.n === 0 ? 0 : (alone.prepare('SELECT count(*) AS n FROM pending').get() as { n: number }).n;
  alone.close();
  expect(rows).toBeLessThan(before);
  await store.close();
});
