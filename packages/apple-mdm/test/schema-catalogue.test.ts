// The catalogue against its provenance, and against Apple's YAML where it is present.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type SchemaKey, type SchemaKind, schema, schemaKinds } from '../src/schema/index.ts';

const root = join(import.meta.dirname, '../../..');
const levels = join(root, '../shared/apple-schema');
const present = existsSync(levels);
if (!present) console.log(`Apple's schema is not at ${levels}: the comparison with its files is skipped`);

interface Level {
  name: string;
  counts: Record<SchemaKind, number>;
  files: Record<string, string>;
}
const provenance = JSON.parse(readFileSync(join(import.meta.dirname, '../src/generated/provenance.json'), 'utf8')) as {
  levels: Level[];
  catalogue: Record<SchemaKind, number>;
};

const allItems = schemaKinds.flatMap((kind) => schema.all(kind));

describe('provenance', () => {
  test('names two levels, with the counts of the first', () => {
    expect(provenance.levels.map((level) => level.name)).toEqual(['os18.3', 'os27']);
    expect(provenance.levels[0]?.counts).toEqual({
      command: 66,
      checkin: 8,
      profile: 128,
      declaration: 39,
      credential: 4,
      protocol: 3,
      status: 45,
      error: 4,
      other: 5,
    });
  });

  test('counts what the catalogue has', () => {
    for (const kind of schemaKinds) expect(schema.all(kind), kind).toHaveLength(provenance.catalogue[kind]);
  });

  test('every file of every level is in the catalogue', () => {
    const files = new Set(allItems.map((item) => item.file));
    // Renamed between the levels: the same title and type under a name without its typing mistake.
    files.add('mdm/profiles/com.apple.MCX(Mobililty).yaml');
    for (const level of provenance.levels) {
      for (const file of Object.keys(level.files)) expect(files, `${level.name}/${file}`).toContain(file);
    }
  });

  test('each level has as many hashes as files', () => {
    for (const level of provenance.levels) {
      const counted = Object.values(level.counts).reduce((sum, count) => sum + count, 0);
      expect(Object.keys(level.files)).toHaveLength(counted);
      for (const hash of Object.values(level.files)) expect(hash).toMatch(/^[0-9a-f]{64}$/);
    }
  });
});

interface RawKey {
  key: string;
  type: string;
  presence?: string;
  rangelist?: unknown[];
  subkeys?: RawKey[];
}

function listYaml(folder: string, at = ''): string[] {
  return readdirSync(join(folder, at), { withFileTypes: true }).flatMap((entry) => {
    const path = at === '' ? entry.name : `${at}/${entry.name}`;
    if (entry.isDirectory()) return path === 'docs' ? [] : listYaml(folder, path);
    return path.endsWith('.yaml') ? [path] : [];
  });
}

function compareKeys(raw: readonly RawKey[], keys: readonly SchemaKey[], where: string): number {
  let count = 0;
  for (const source of raw) {
    const path = `${where}/${source.key}`;
    const key = keys.find((candidate) => candidate.key === source.key);
    expect(key, path).toBeDefined();
    expect(`<${key?.type}>`, path).toBe(source.type);
    expect(key?.presence, path).toBe(source.presence);
    // A later level may add values, never take one away.
    for (const value of source.rangelist ?? []) expect(key?.rangelist, path).toContain(value);
    count += 1 + compareKeys(source.subkeys ?? [], key?.subkeys ?? [], path);
  }
  return count;
}

describe.skipIf(!present)("Apple's files", () => {
  test('have the hashes and counts of the provenance', () => {
    for (const level of provenance.levels) {
      const folder = join(levels, level.name);
      const files = listYaml(folder);
      expect(files.sort(), level.name).toEqual(Object.keys(level.files).sort());
      for (const file of files) {
        const hash = createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex');
        expect(hash, `${level.name}/${file}`).toBe(level.files[file]);
      }
    }
  });

  test('are in the catalogue key by key', () => {
    let count = 0;
    for (const item of allItems) {
      const file = join(levels, item.level, item.file);
      const raw = parse(readFileSync(file, 'utf8')) as { payloadkeys?: RawKey[]; responsekeys?: RawKey[] };
      count += compareKeys(raw.payloadkeys ?? [], item.keys, item.file);
      count += compareKeys(raw.responsekeys ?? [], item.replies ?? [], `${item.file}:response`);
    }
    expect(count).toBeGreaterThan(4500);
  });

  test('give exactly the committed facts and types', { timeout: 60_000 }, () => {
    const args = ['scripts/schema.ts', '--check', ...provenance.levels.map((level) => join(levels, level.name))];
    const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
  });
});

describe('lookups', () => {
  test('find each kind by name', () => {
    expect(schema.command('DeviceLock')?.keys.map((key) => key.key)).toEqual(['Message', 'PhoneNumber', 'PIN']);
    expect(schema.response('DeviceLock')?.keys.map((key) => key.key)).toEqual(['MessageResult']);
    expect(schema.checkin('GetToken')?.replies?.map((key) => key.key)).toEqual(['TokenData']);
    expect(schema.payload('com.apple.wifi.managed')?.keys.length).toBeGreaterThan(25);
    expect(schema.declaration('com.apple.activation.simple')?.title).toBe('Activation:Simple');
    expect(schema.credential('com.apple.credential.scep')?.keys.length).toBeGreaterThan(3);
    expect(schema.protocol('StatusReport')?.keys.map((key) => key.key)).toContain('StatusItems');
    expect(schema.status('passcode.is-present')?.keys[0]?.type).toBe('boolean');
    expect(schema.error('com.apple.well-known.failed')?.kind).toBe('error');
    expect(schema.errors()).toHaveLength(5);
    for (const name of ['MachineInfo', 'SkipKeys', 'ManifestURL', 'ESSO', 'passwordHash']) {
      expect(schema.other(name)?.id).toBe(name);
    }
    expect(schema.profileKeys().keys.map((key) => key.key)).toContain('PayloadContent');
    expect(schema.commonPayloadKeys().keys.map((key) => key.key)).toContain('PayloadUUID');
    expect(schema.declarationBase().keys.map((key) => key.key)).toEqual([
      'Type',
      'Identifier',
      'ServerToken',
      'Payload',
    ]);
  });

  test('know nothing of names that are not there, prototype names among them', () => {
    for (const name of ['', 'Nope', '__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(schema.find(name), name).toEqual([]);
      expect(schema.command(name), name).toBeUndefined();
      expect(schema.payloadVariants(name), name).toEqual([]);
    }
  });

  test('names leave out what is no type, and are all found', () => {
    for (const kind of schemaKinds) {
      for (const name of schema.names(kind)) expect(schema.find(name).some((match) => match.kind === kind)).toBe(true);
    }
    expect(schema.names('profile')).not.toContain('TopLevel');
    expect(schema.names('declaration')).not.toContain('any');
  });

  test('a payload type of several files has the keys of all', () => {
    expect(schema.payloadVariants('com.apple.MCX').map((item) => item.variant)).toEqual([
      'Accounts',
      'EnergySaver',
      'FileVault2',
      'Mobility',
      'TimeServer',
      'WiFi',
    ]);
    const keys = schema.payload('com.apple.MCX')?.keys.map((key) => key.key);
    expect(keys).toContain('RequireAdminForIBSS');
    expect(keys).toContain('DisableGuestAccount');
  });

  test('give the same object again', () => {
    expect(schema.command('DeviceLock')).toBe(schema.command('DeviceLock'));
  });
});

describe('what the newer level changed', () => {
  test('things removed stay, marked with their range', () => {
    const scan = schema.command('ScheduleOSUpdateScan');
    expect(scan?.supportedOS?.macOS).toMatchObject({ introduced: '10.11', removed: '27.0' });
    expect(scan?.supportedOS?.tvOS?.removed).toBeUndefined();
    const query = schema
      .command('DeviceInformation')
      ?.keys.find((key) => key.key === 'Queries')
      ?.subkeys?.[0]?.subkeys?.find((key) => key.key === 'OSUpdateSettings');
    expect(query?.supportedOS?.macOS?.removed).toBe('27.0');
    const delay = schema
      .payload('com.apple.applicationaccess')
      ?.keys.find((key) => key.key === 'enforcedSoftwareUpdateDelay');
    expect(delay?.supportedOS?.iOS).toMatchObject({ deprecated: '26.0', removed: '27.0' });
  });

  test('things added are there', () => {
    expect(schema.command('TriggerEnhancedLogCollection')?.level).toBe('os27');
    expect(schema.checkin('ReturnToService')?.level).toBe('os27');
    expect(schema.status('mdm.enrollment-type')?.supportedOS?.iOS?.introduced).toBe('27.0');
    const keys = schema.payload('com.apple.applicationaccess')?.keys;
    expect(keys?.find((key) => key.key === 'allowSafariHistoryClearing')?.supportedOS?.macOS).toMatchObject({
      introduced: '26.0',
      allowmanualinstall: false,
    });
    expect(keys?.find((key) => key.key === 'ratingApps')?.rangelist).toContain(621);
  });

  test('combination rules sit on their dictionaries', () => {
    expect(schema.command('EnableLostMode')?.rules).toEqual([{ anyOf: ['Message', 'PhoneNumber'] }]);
    const services = schema.payload('com.apple.TCC.configuration-profile-policy')?.keys[0]?.subkeys;
    for (const service of services ?? []) expect(service.subkeys?.[0]?.rules?.length, service.key).toBeGreaterThan(0);
  });
});

test('nothing of the catalogue is read before it is asked for', () => {
  const script = `
    let parsed = 0;
    const parse = JSON.parse;
    JSON.parse = (...args) => { parsed++; return parse(...args); };
    const { schema, validate } = await import(${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))});
    const atImport = parsed;
    schema.command('DeviceLock');
    const one = parsed - atImport;
    validate('command', { RequestType: 'DeviceLock' });
    console.log(atImport, one, parsed - atImport - one);
  `;
  const flags = ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', '--input-type=module'];
  const result = spawnSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8', cwd: root });
  expect(result.stderr).toBe('');
  // Nothing at import; the availability table and one line for the first command; nothing for the second look.
  expect(result.stdout.trim()).toBe('0 2 0');
});

test('no heavy module of Node is loaded before it is used', () => {
  const script = `
    const { uuidFrom } = await import(${JSON.stringify(join(import.meta.dirname, '../src/index.ts'))});
    const heavy = /^NativeModule (crypto|http2|tls|net|http|https)$/;
    const loaded = () => process.moduleLoadList.filter((name) => heavy.test(name)).length;
    const before = loaded();
    uuidFrom('x');
    console.log(before, loaded() > 0);
  `;
  const flags = ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', '--input-type=module'];
  const result = spawnSync(process.execPath, [...flags, '-e', script], { encoding: 'utf8', cwd: root });
  expect(result.stderr).toBe('');
  expect(result.stdout.trim()).toBe('0 true');
});
