// `espalier search`: the explanation, faults with their place, and the devices of a real SQLite file.
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '@espalier/sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { espalier } from './io.ts';
import { enrol, ring, T0, temporaryFolder } from './stores.ts';

const folder = temporaryFolder();
const file = folder.path('espalier.db');

beforeAll(async () => {
  const store = openSqliteStore(file);
  const keys = ring(1, 'k');
  await enrol(store, keys, 'A', 'Anna’s iPad', { 'common.platform': 'iPadOS', 'common.os_version': '18.3' });
  await enrol(store, keys, 'B', null, { 'common.platform': 'macOS', 'common.os_version': '15.2' });
  await enrol(store, keys, 'C', 'Kiosk\u001b[31m', { 'common.platform': 'iPadOS' });
  await store.close();
});
afterAll(() => folder.remove());

describe('the explanation', () => {
  const text = '("common.platform" = "iPadOS") and not "common.os_version" >= "18"';

  test('canonical text, tree, fields with type and source', async () => {
    const { code, out, err } = await espalier(['search', text]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('"common.platform" = "iPadOS" AND NOT "common.os_version" >= "18"\n');
    expect(out).toContain(
      'tree\n  AND\n    "common.platform" = "iPadOS"\n    NOT\n      "common.os_version" >= "18"\n',
    );
    expect(out).toMatch(/common\.platform +enum +Platform, from DeviceInformation\.ProductName/);
    expect(out).toMatch(/common\.os_version +ver +OS Version, from DeviceInformation\.OSVersion/);
    expect(out).not.toContain('SQL');
    for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test('SQL of each dialect, every value a parameter', async () => {
    const sqlite = await espalier(['search', text, '--sql', 'sqlite']);
    expect(sqlite.out).toContain('SQL (sqlite)');
    expect(sqlite.out).toContain('?2 = "ipados"');
    const postgres = JSON.parse((await espalier(['search', text, '--sql', 'postgres', '--json'])).out);
    expect(postgres.sql.dialect).toBe('postgres');
    expect(postgres.sql.text).toContain('EXISTS (SELECT 1 FROM device_fact f WHERE f.device_id = d.id');
    expect(postgres.sql.parameters).toContain('ipados');
    expect(postgres.sql.text).not.toContain('ipados');
    expect(JSON.parse((await espalier(['search', text, '--json'])).out)).not.toHaveProperty('sql');
  });

  test('the SQL counts relative dates from now', async () => {
    const args = ['search', '"common.last_connected_at" within the last 2 days', '--sql', 'sqlite', '--json'];
    const { sql, timeDependent } = JSON.parse((await espalier(args, {}, { now: T0 })).out);
    expect(timeDependent).toBe(true);
    expect(sql.parameters).toEqual(['common.last_connected_at', T0 - 2 * 86_400_000, T0]);
  });

  test('what is odd: a contradiction, a scan', async () => {
    const odd = '"common.platform" = "iOS" AND "common.platform" = "macOS" AND "common.serial_number" contains "X"';
    const { code, out } = await espalier(['search', odd]);
    expect(code).toBe(0);
    expect(out).toContain('(always-false)');
    expect(out).toContain('No index can serve "common.serial_number" contains "X".');
    const issues = JSON.parse((await espalier(['search', odd, '--json'])).out).issues;
    expect(issues).toMatchObject([{ code: 'always-false', severity: 'warning', start: 0 }]);
  });

  test('the empty expression is everything', async () => {
    expect((await espalier(['search', ''])).out).toContain('(everything)');
  });
});

describe('faults', () => {
  test('a syntax error is marked, with what was expected', async () => {
    const { code, out } = await espalier(['search', '"common.platform" = iOS', '--store', file]);
    expect(code).toBe(1);
    expect(out.split('\n').slice(0, 3)).toEqual([
      '  "common.platform" = iOS',
      '                      ^^^',
      '  error: text must be in double quotes (expected-value)',
    ]);
    expect(out).toContain('did you mean "iOS"');
    expect(out).toContain('expected: text in double quotes, a number, true, false');
    expect(out).not.toContain('tree');
  });

  test('the mark stays below its place on a later line and in a long one', async () => {
    const later = await espalier(['search', '"common.platform" = "iOS"\n  AND "common.blocked" = maybe']);
    expect(later.out.split('\n').slice(0, 2)).toEqual(['    AND "common.blocked" = maybe', `${' '.repeat(27)}^^^^^`]);
    const long = `"common.serial_number" = "${'x'.repeat(300)}" AND "common.blocked" = maybe AND "common.blocked" = true`;
    const [line = '', mark = ''] = (await espalier(['search', long])).out.split('\n');
    expect(line.length).toBeLessThanOrEqual(80);
    expect(line.slice(mark.indexOf('^'), mark.lastIndexOf('^') + 1)).toBe('maybe');
    const end = (await espalier(['search', '"common.platform" ='])).out.split('\n');
    expect(end[1]?.indexOf('^')).toBeGreaterThan(18);
  });

  test('an unknown field: did you mean', async () => {
    const { code, out } = await espalier(['search', '"common.platfrom" = "iOS"', '--sql', 'sqlite', '--store', file]);
    expect(code).toBe(1);
    expect(out).toContain(
      'error: there is no field "common.platfrom" (unknown-field)\n  did you mean "common.platform"',
    );
    expect(out).not.toContain('SQL');
    expect(out).not.toContain('match');
    const json = await espalier(['search', '"common.platfrom" = "iOS"', '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({
      fields: [{ token: 'common.platfrom' }],
      issues: [{ code: 'unknown-field', start: 0, end: 17, suggestion: '"common.platform"' }],
    });
  });

  test('syntax errors as JSON', async () => {
    const { code, out } = await espalier(['search', '"common.platform" = iOS', '--json']);
    expect(code).toBe(1);
    const found = JSON.parse(out);
    expect(found.issues).toMatchObject([{ code: 'expected-value', start: 20, end: 23 }]);
    expect(found).not.toHaveProperty('tree');
  });
});

describe('against a store', () => {
  test('a table of the devices that match, with the total', async () => {
    const { code, out, err } = await espalier(['search', '"common.platform" = "iPadOS"', '--store', `sqlite:${file}`]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/name +serial number +platform +OS\nAnna’s iPad +SN-A +iPadOS +18\.3\n/);
    expect(out).toMatch(/2 devices match$/);
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain('SN-B');
  });

  test('--limit shows the first, and counts all; facts of the server count as well', async () => {
    const args = ['search', '"common.status" = "Active"', '--store', file, '--limit', '1'];
    expect((await espalier(args)).out).toContain('3 devices match, the first 1 are shown');
    const { matches } = JSON.parse((await espalier([...args, '--json'])).out);
    expect(matches).toEqual({
      total: 3,
      devices: [{ id: 'A', name: 'Anna’s iPad', serialNumber: 'SN-A', platform: 'iPadOS', osVersion: '18.3' }],
    });
  });

  test('retired devices, secrets and the one-box search', async () => {
    const other = folder.path('retired.db');
    const store = openSqliteStore(other);
    for (const id of ['A', 'B']) await enrol(store, ring(1, 'k'), id, null, { 'common.serial_number': `SN-${id}` });
    await store.enrolments.checkOut({ id: 'B', certificateFingerprint: 'pin-B', at: T0, events: [] });
    await store.close();
    const total = async (...args: string[]) =>
      JSON.parse((await espalier(['search', ...args, '--store', other, '--json'])).out).matches?.total;
    expect(await total('')).toBe(1);
    expect(await total('', '--include-retired')).toBe(2);
    expect(await total('sn: sn-b', '--basic')).toBe(0);
    expect(await total('sn: sn-b', '--basic', '--include-retired')).toBe(1);
    const secret = '"common.pending_device_passcode" starts with "1"';
    const refused = await espalier(['search', secret, '--store', other]);
    expect([refused.code, refused.out]).toEqual([1, expect.stringContaining('(sensitive)')]);
    expect(await total(secret, '--sensitive')).toBe(0);
  });

  test('the store is only read', async () => {
    const dump = () => {
      const db = new DatabaseSync(file, { readOnly: true });
      const tables = db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`).all();
      const all = tables.map(({ name }) => [name, db.prepare(`SELECT * FROM "${name}"`).all()]);
      db.close();
      return JSON.stringify(all);
    };
    const before = dump();
    await espalier(['search', '"common.platform" = "macOS"', '--store', file]);
    expect(dump()).toBe(before);
  });

  test('a store that is not there', async () => {
    expect(await espalier(['search', '', '--store', folder.path('none.db')])).toMatchObject({ code: 2, out: '' });
  });
});

test.each([
  [['search']],
  [['search', '"common.platform"', '=', '"iOS"']],
  [['search', '', '--sql', 'mysql']],
  [['search', '', '--limit', '5']],
  [['search', '', '--store', 'memory:', '--limit', '0']],
  [['search', '', '--store', 'memory:', '--limit', '1e3']],
  [['search', '', '--store', 'ftp://x']],
])('%j is exit 2', async (args) => {
  const { code, out, err } = await espalier(args);
  expect([code, out]).toEqual([2, '']);
  expect(err).toContain('usage: espalier search');
});
