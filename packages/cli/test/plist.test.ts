// `espalier plist`: print and convert, against what the codec itself and Python say.
import { spawnSync } from 'node:child_process';
import { decode, encodeBinary, encodeXml, PlistReal, PlistUid } from '@espalier/plist';
import { describe, expect, test } from 'vitest';
import { espalier } from './io.ts';

const value = {
  Name: 'Büro "A"',
  Count: 3,
  Big: 2n ** 63n,
  Ratio: new PlistReal(1),
  On: true,
  When: new Date('2024-05-06T07:08:09Z'),
  Bytes: new Uint8Array([0, 1, 2, 255]),
  Ref: new PlistUid(7),
  List: [1, 'two', {}],
  Empty: [],
  'odd key': { inner: 1.5 },
};
const xml = encodeXml(value);
const binary = encodeBinary(value);

describe('print', () => {
  test('tells the types apart, for both formats alike', async () => {
    const { code, out } = await espalier(['plist', 'print', 'a'], { a: xml });
    expect(code).toBe(0);
    expect(out).toBe(`{
  Name: "Büro \\"A\\""
  Count: 3
  Big: 9223372036854775808
  Ratio: 1.0
  On: true
  When: 2024-05-06T07:08:09Z
  Bytes: <000102ff> (4 bytes)
  Ref: uid 7
  List: [
    1
    "two"
    {}
  ]
  Empty: []
  "odd key": {
    inner: 1.5
  }
}`);
    expect((await espalier(['plist', 'print', 'a'], { a: binary })).out).toBe(out);
  });

  test('--json is the JSON of it', async () => {
    const { out } = await espalier(['plist', 'print', 'a', '--json'], { a: xml });
    expect(out).toContain('"Big": 9223372036854775808');
    expect(JSON.parse(out)).toMatchObject({ Bytes: 'AAEC/w==', When: '2024-05-06T07:08:09Z', Ratio: 1, Empty: [] });
  });
});

describe('convert', () => {
  test('to each format and back', async () => {
    const toBinary = await espalier(['plist', 'convert', 'a', '--to', 'binary'], { a: xml });
    expect(Buffer.compare(toBinary.bytes, binary)).toBe(0);
    const toXml = await espalier(['plist', 'convert', 'a', '--to', 'xml'], { a: binary });
    expect(decode(toXml.bytes)).toEqual(decode(xml));
    const toJson = await espalier(['plist', 'convert', 'a', '--to', 'json'], { a: binary });
    expect(JSON.parse(new TextDecoder().decode(toJson.bytes))).toMatchObject({ Name: 'Büro "A"' });
  });

  test('from JSON, without its nulls and with its prototype keys', async () => {
    const json = '{"A":[1,null,2.5,"x"],"B":null,"__proto__":{"C":true}}';
    const { bytes } = await espalier(['plist', 'convert', 'a', '--to', 'xml'], { a: json });
    const read = decode(bytes) as Record<string, unknown>;
    expect(Object.keys(read)).toEqual(['A', '__proto__']);
    expect(read['A']).toEqual([1, 2.5, 'x']);
  });

  test('--out writes a file; a binary is not for the terminal', async () => {
    const { written, bytes } = await espalier(['plist', 'convert', 'a', '--to', 'binary', '--out', 'b'], { a: xml });
    expect(bytes).toHaveLength(0);
    expect(Buffer.compare(written.get('b') as Uint8Array, binary)).toBe(0);
    const refused = await espalier(['plist', 'convert', 'a', '--to', 'binary'], { a: xml }, { terminal: true });
    expect(refused.code).toBe(2);
  });

  test('what is broken is exit 1 with the place', async () => {
    const { code, err } = await espalier(['plist', 'print', 'a'], { a: '<plist><dict><key>A</key></dict></plist>' });
    expect(code).toBe(1);
    expect(err).toMatch(/line 1, column \d+/);
    expect((await espalier(['plist', 'print', 'a'], { a: '{"a":' })).code).toBe(2);
  });
});

const python = spawnSync('python3', ['--version']).status === 0;
if (!python && process.env['CI'] === 'true') throw new Error('python3 is needed in CI');
if (!python) console.log('python3 is not installed: the comparison with plistlib is skipped');

test.skipIf(!python)("Python's plistlib reads what was converted", async () => {
  const { bytes } = await espalier(['plist', 'convert', 'a', '--to', 'binary'], {
    a: '{"A":[1,2.5,"x"],"B":{"C":true}}',
  });
  const script = 'import plistlib,sys,json;print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))';
  const read = spawnSync('python3', ['-c', script], { input: bytes, encoding: 'utf8' });
  expect(JSON.parse(read.stdout)).toEqual({ A: [1, 2.5, 'x'], B: { C: true } });
});
