// `espalier import`: folders that NanoMDM 0.9.0 itself wrote (fixtures/nanomdm.json: path to base64), rows of its tables, and a
// database of MicroMDM's records that bbolt 1.5 wrote (fixtures/micromdm.db.gz: 150 devices, a record larger than a page, a bootstrap token).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createEngine } from '@espalier/core';
import { openSqliteStore } from '@espalier/sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openBolt } from '../src/import/bolt.ts';
import { readProtobuf } from '../src/import/protobuf.ts';
import { CliError, processIo } from '../src/index.ts';
import { readKeys, ringOf } from '../src/store/keys.ts';
import { espalier, type Files } from './io.ts';
import { keyText, temporaryFolder } from './stores.ts';

const PHONE = '00008120-0000000000000001';
const MAC = '5A1F0C10-0000-4000-8000-000000000002';
const JO = `${MAC}:5A1F0C10-0000-4000-8000-0000000000AA`;
const OWN = 'own-enrolment-3';
const files: Files = { 'one.key': keyText(1), 'two.key': keyText(2) };
const fixture = (name: string): Buffer => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const nanomdm = JSON.parse(fixture('nanomdm.json').toString()) as Record<string, Record<string, string>>;
const micromdm = new Uint8Array(gunzipSync(fixture('micromdm.db.gz')));

let folder: ReturnType<typeof temporaryFolder>;
let file: string;
beforeEach(async () => {
  folder = temporaryFolder();
  file = folder.path('espalier.db');
  await espalier(['store', 'migrate', file]);
});
afterEach(() => folder.remove());

/** The folder of a NanoMDM, as it was. */
function unpack(kind: 'file' | 'filekv'): string {
  for (const [name, content] of Object.entries(nanomdm[kind]!)) {
    const path = folder.path(`nano/${name}`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.from(content, 'base64'));
  }
  return folder.path('nano');
}

async function run(from: string, source: string, more: readonly string[] = ['--key-file', 'one.key'], given = files) {
  const args = ['import', '--from', from, source, '--store', file, '--json', ...more];
  const { code, out, err } = await espalier(args, given);
  return { code, err, report: out === '' ? null : (JSON.parse(out) as Record<string, unknown>) };
}

/** What the engine finds in the store afterwards. */
async function inStore<T>(
  look: (
    engine: ReturnType<typeof createEngine>,
    secret: (id: string, name: string) => Promise<string | null>,
  ) => Promise<T>,
): Promise<T> {
  const store = openSqliteStore(file);
  const keys = ringOf(readKeys('k', [], { ...processIo(), readFile: () => Buffer.from(keyText(1)) })!);
  try {
    return await look(createEngine({ store, keys }), async (id, name) => {
      const blob = await store.secrets.get(id, name);
      return blob && Buffer.from(keys.open(blob, ['secret', id, name])).toString();
    });
  } finally {
    await store.close();
  }
}

describe.each(['file', 'filekv'] as const)('NanoMDM’s %s storage', (kind) => {
  test('comes over, once: devices, users, User Enrolments, tokens and pins; what has ended stays there', async () => {
    const path = unpack(kind);
    const dry = await run('nanomdm', path, ['--dry-run']);
    expect(dry).toMatchObject({ code: 0, report: { dryRun: true, devices: 3, users: 1, skipped: 2, errors: [] } });
    expect(await inStore((engine) => engine.devices.get(PHONE))).toBeNull();
    const first = await run('nanomdm', path);
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.report).toEqual({
      store: `sqlite:${file}`,
      source: path,
      dryRun: false,
      devices: 3,
      users: 1,
      present: 0,
      skipped: 2,
      errors: [],
      ended: 'done',
    });
    await inStore(async (engine, secret) => {
      const phone = await engine.devices.get(PHONE);
      expect(phone?.enrolment).toMatchObject({
        status: 'active',
        pushable: true,
        serialNumber: 'PHONE1',
        osVersion: '18.3',
      });
      const hash = Object.entries(nanomdm[kind]!).find(
        ([name]) => name.includes(PHONE) && /CertAuth|cert_hash/.test(name),
      );
      expect(phone?.enrolment.certificateFingerprint).toBe(Buffer.from(hash![1], 'base64').toString().trim());
      // The unlock token came with the first TokenUpdate only, and is kept apart from the last one.
      expect(await secret(PHONE, 'unlock-token')).toBe('unlock phone');
      expect(await secret(MAC, 'bootstrap-token')).toBe('bootstrap mac');
      expect((await engine.devices.get(JO))?.enrolment).toMatchObject({
        channel: 'user',
        status: 'active',
        parent: MAC,
      });
      expect((await engine.devices.get(OWN))?.enrolment.kind).toBe('user-enrolment-device');
      expect(await engine.devices.get('00008120-0000000000000004')).toBeNull();
    });
    expect((await run('nanomdm', path)).report).toMatchObject({ devices: 0, users: 0, present: 4, errors: [] });
    expect((await run('nanomdm', path, ['--dry-run'])).report).toMatchObject({ devices: 0, users: 0, present: 4 });
  });
});

describe('rows of NanoMDM’s tables', () => {
  const authenticate = (udid: string) =>
    `<plist version="1.0"><dict><key>MessageType</key><string>Authenticate</string><key>UDID</key><string>${udid}</string>` +
    '<key>Topic</key><string>com.apple.mgmt.x</string><key>SerialNumber</key><string>S1</string></dict></plist>';
  const tokenUpdate = (udid: string, more = '') =>
    `<plist version="1.0"><dict><key>MessageType</key><string>TokenUpdate</string><key>UDID</key><string>${udid}</string>` +
    `<key>Topic</key><string>com.apple.mgmt.x</string><key>PushMagic</key><string>m</string><key>Token</key><data>AQID</data>${more}</dict></plist>`;
  const row = (id: string, more: object = {}) =>
    JSON.stringify({
      id,
      enabled: true,
      authenticate: authenticate(id),
      token_update: tokenUpdate(id),
      sha256: Buffer.from(id.padEnd(32, '.')).toString('hex'),
      ...more,
    });

  test('come over; each fault is told with its line, and the others go on', async () => {
    const user = '<key>UserID</key><string>U</string>';
    const lines = [
      JSON.stringify({ id: 'A:U', device_id: 'A', enabled: 1, token_update: tokenUpdate('A', user) }),
      row('A', { unlock_token: '\\x756e', bootstrap_token_b64: 'Ym9vdA==' }),
      row('B', { sha256: null }),
      'nonsense',
      '',
      row('C', { sha256: 'abc' }),
      row('D', { token_update: '<plist' }),
      row('E', { enabled: false }),
      row('F', { unlock_token: 'raw' }),
      '[]',
      row('G', { sha256: 'CD'.repeat(32), unlock_token_b64: 'dW4=' }),
    ];
    const given = { ...files, 'rows.jsonl': `${lines.join('\n')}\n` };
    const { code, report } = await run('nanomdm', 'rows.jsonl', undefined, given);
    expect(code).toBe(1);
    expect(report).toMatchObject({ devices: 2, users: 1, skipped: 1 });
    expect((report!['errors'] as { place: string; code: string }[]).map((one) => [one.place, one.code])).toEqual([
      ['rows.jsonl:3', 'core.migration.certificate'],
      ['rows.jsonl:4', 'cli.file'],
      ['rows.jsonl:6', 'core.migration.fingerprint'],
      ['rows.jsonl:7', expect.stringMatching(/^plist\.|^mdm\./)],
      ['rows.jsonl:9', 'cli.file'],
      ['rows.jsonl:10', 'cli.file'],
    ]);
    await inStore(async (engine, secret) => {
      expect((await engine.devices.get('G'))?.enrolment.certificateFingerprint).toBe('cd'.repeat(32));
      expect(await secret('A', 'unlock-token')).toBe('un');
      expect(await secret('A', 'bootstrap-token')).toBe('boot');
    });
    const other = { ...files, 'rows.jsonl': row('A', { sha256: 'ef'.repeat(32) }) };
    for (const dry of [[], ['--dry-run']]) {
      const again = await run('nanomdm', 'rows.jsonl', ['--key-file', 'one.key', ...dry], other);
      expect(again.report).toMatchObject({
        errors: [{ place: 'rows.jsonl:1', code: 'core.migration.other_certificate' }],
      });
    }
  });

  test('are shown as a table, with the first errors; an interruption ends it between two of them', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => row(`R${i}`, { sha256: null })).join('\n');
    const given = { ...files, 'rows.jsonl': rows };
    const args = ['import', '--from', 'nanomdm', 'rows.jsonl', '--store', file, '--key-file', 'one.key'];
    const { code, out } = await espalier(args, given);
    expect(code).toBe(1);
    expect(out).toMatch(/errors\s+30/);
    expect(out).toContain('rows.jsonl:1 ');
    expect(out).toContain('and 10 more');
    let stop = (): void => {};
    const drawn = await espalier(
      args,
      { ...files, 'rows.jsonl': row('A') },
      {
        terminal: true,
        onInterrupt(listener) {
          stop = listener;
          return () => {};
        },
        every(_ms, task) {
          task();
          stop();
          return () => {};
        },
      },
    );
    expect(Buffer.from(drawn.bytes).toString()).toContain('0 of 1');
    expect(drawn.out).toContain('interrupted');
    expect(await inStore((engine) => engine.devices.get('A'))).toBeNull();
  });
});

describe('MicroMDM’s database', () => {
  test('comes over: what it knows of devices and users becomes their messages', async () => {
    const given = { ...files, 'micromdm.db': micromdm };
    const { code, report } = await run('micromdm', 'micromdm.db', undefined, given);
    expect(code).toBe(1);
    expect(report).toMatchObject({
      devices: 147,
      users: 1,
      // Not enrolled, never seen, a user that is on no Mac.
      skipped: 3,
      errors: [
        { code: 'core.migration.certificate', place: 'mdm.Devices/10000000-0000-4000-8000-000000000008' },
        { code: 'cli.file', place: 'mdm.Devices/10000000-0000-4000-8000-000000000009' },
      ],
    });
    await inStore(async (engine, secret) => {
      const id = '00008120-0000000000000011';
      expect((await engine.devices.get(id))?.enrolment).toMatchObject({
        status: 'active',
        serialNumber: 'SN00011',
        deviceName: 'Old 11',
        certificateFingerprint: '0b'.repeat(32),
        topic: 'com.apple.mgmt.External.11111111-2222-4333-8444-555555555555',
      });
      expect(await secret(id, 'unlock-token')).toBe('unlock 11');
      // Not every byte of it is text.
      expect(await secret('00008120-0000000000000003', 'bootstrap-token')).toBe('bootstrap 3 \ufffd\0');
      expect(await secret(id, 'bootstrap-token')).toBeNull();
      const jo = '00008120-0000000000000003:30000000-0000-4000-8000-000000000001';
      expect((await engine.devices.get(jo))?.enrolment).toMatchObject({ channel: 'user', status: 'active' });
    });
    expect((await run('micromdm', 'micromdm.db', undefined, given)).report).toMatchObject({ devices: 0, present: 148 });
  });

  test('is refused with an error of ours where it is damaged, wherever that is', () => {
    let read = 0;
    for (let at = 0; at < micromdm.length; at += 1_021) {
      const bytes = Uint8Array.from(micromdm);
      bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      try {
        const file = openBolt(bytes, 'db');
        for (const name of ['mdm.Devices', 'mdm.PushInfo'])
          for (const [, value] of file.bucket(name)) readProtobuf(value);
        read++;
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
      }
    }
    expect(read).toBeGreaterThan(0);
    for (const length of [0, 100, 4_096, 20_000]) {
      expect(() => [...openBolt(micromdm.subarray(0, length), 'db').bucket('mdm.Devices')]).toThrow(CliError);
    }
    // Without the first copy of its beginning, the second one counts.
    const half = Uint8Array.from(micromdm).fill(0, 0, 4_096);
    expect([...openBolt(half, 'db').bucket('mdm.Devices')]).toHaveLength(151);
  });
});

test('tells what is missing or wrong on the command line', async () => {
  const path = unpack('file');
  const cases: [readonly string[], string, number][] = [
    [[path, '--store', file], '--from', 2],
    [['--from', 'other', path, '--store', file], '--from', 2],
    [['--from', 'nanomdm', '--store', file], 'no source', 2],
    [['--from', 'nanomdm', path], '--store', 2],
    [['--from', 'nanomdm', path, 'more', '--store', file], 'more', 2],
    [['--from', 'nanomdm', path, '--store', file], '--key-file', 2],
    [['--from', 'nanomdm', folder.path('.'), '--store', file, '--dry-run'], 'NanoMDM', 2],
    [['--from', 'nanomdm', 'absent.jsonl', '--store', file, '--dry-run'], 'absent.jsonl', 2],
    [['--from', 'micromdm', 'one.key', '--store', file, '--dry-run'], 'Bolt', 2],
  ];
  for (const [args, said, code] of cases) {
    const ran = await espalier(['import', ...args], files);
    expect([ran.code, ran.err], args.join(' ')).toEqual([code, expect.stringContaining(said)]);
  }
  await run('nanomdm', path);
  const wrong = await run('nanomdm', path, ['--key-file', 'two.key']);
  expect([wrong.code, wrong.report, wrong.err]).toEqual([1, null, expect.stringMatching(/key/)]);
});
