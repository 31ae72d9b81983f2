// Without what Node adds to the web's interfaces, as in a browser, everything works the same.
import { afterEach, expect, test, vi } from 'vitest';
import * as here from '../src/index.ts';
import { malformedXml } from './corpus/xml.ts';
import { forBinary, forXml, sample } from './support/arbitrary.ts';
import { written } from './support/canonical.ts';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The package loaded where there is no `Buffer`, no `process` and no `String.prototype.isWellFormed`. */
async function elsewhere(): Promise<typeof here> {
  const native = Object.getOwnPropertyDescriptor(String.prototype, 'isWellFormed')!;
  vi.resetModules();
  vi.stubGlobal('Buffer', undefined);
  vi.stubGlobal('process', undefined);
  Reflect.deleteProperty(String.prototype, 'isWellFormed');
  try {
    return await import('../src/index.ts');
  } finally {
    Object.defineProperty(String.prototype, 'isWellFormed', native);
    vi.unstubAllGlobals();
  }
}

test('the same bytes are written, and read as the same values', async () => {
  const there = await elsewhere();
  expect(there.decode).not.toBe(here.decode);
  for (const [encode, encodeThere, flavour] of [
    [here.encodeXml, there.encodeXml, forXml],
    [here.encodeBinary, there.encodeBinary, forBinary],
  ] as const) {
    for (const value of sample(flavour, 500, 31)) {
      const bytes = encode(value);
      // Wrappers of one copy of the package are known to the other.
      expect(Buffer.compare(encodeThere(value), bytes)).toBe(0);
      expect(Buffer.compare(encode(there.decode(bytes)), bytes)).toBe(0);
      expect(Buffer.compare(encodeThere(here.decode(bytes)), bytes)).toBe(0);
    }
  }
  const long = ['x'.repeat(40_000), '&'.repeat(40_000), 'é'.repeat(40_000), new Uint8Array(40_000)];
  expect(written(there.decode(there.encodeXml(long)))).toBe(written(long));
  expect(written(there.decode(there.encodeBinary(long)))).toBe(written(long));
});

test('the same errors are given', async () => {
  const there = await elsewhere();
  for (const [what, document, code] of malformedXml) {
    let given: unknown;
    try {
      there.decode(document);
    } catch (error) {
      given = error;
    }
    expect(given, what).toBeInstanceOf(there.PlistError);
    expect((given as here.PlistError).code, what).toBe(code);
  }
});
