// Limits, and what a document must not be able to do to the program that reads it.
import { describe, expect, test } from 'vitest';
import {
  type DecodeLimits,
  decode,
  decodeDict,
  defaultLimits,
  encodeBinary,
  encodeXml,
  type PlistInput,
} from '../src/index.ts';
import { layOut } from './support/binary.ts';
import { errorOf } from './support/place.ts';

const root = (value: string): string => `<plist version="1.0">${value}</plist>`;

describe.each([
  ['XML', encodeXml],
  ['binary', encodeBinary],
] as const)('limits of %s', (_, encode) => {
  const codeWith = (value: Parameters<typeof encode>[0], limits: Partial<DecodeLimits>): string => {
    const bytes = encode(value, { maxDepth: 100_000 });
    try {
      decode(bytes, { limits });
      return 'read';
    } catch {
      const error = errorOf(() => decode(bytes, { limits }));
      expect(error.kind).toBe('too-large');
      return error.code;
    }
  };

  test('bytes', () => {
    const size = encode(['abc']).length;
    expect(codeWith(['abc'], { maxBytes: size })).toBe('read');
    expect(codeWith(['abc'], { maxBytes: size - 1 })).toBe('plist.limit.bytes');
  });

  test('depth', () => {
    const nested = (depth: number): unknown =>
      depth === 0 ? [] : depth % 2 === 0 ? [nested(depth - 1)] : { a: nested(depth - 1) };
    expect(codeWith('a', { maxDepth: 0 })).toBe('read');
    expect(codeWith([], { maxDepth: 1 })).toBe('read');
    expect(codeWith([], { maxDepth: 0 })).toBe('plist.limit.depth');
    expect(codeWith(nested(9) as string, { maxDepth: 10 })).toBe('read');
    expect(codeWith(nested(10) as string, { maxDepth: 10 })).toBe('plist.limit.depth');
    expect(codeWith(nested(511) as string, {})).toBe('read');
    expect(codeWith(nested(512) as string, {})).toBe('plist.limit.depth');
    expect(errorOf(() => encode(nested(512) as string)).code).toBe('plist.limit.depth');
    expect(errorOf(() => encode(nested(5) as string, { maxDepth: 5 })).code).toBe('plist.limit.depth');
    expect(errorOf(() => encode([], { maxDepth: -1 })).code).toBe('plist.option');
  });

  test('elements', () => {
    expect(codeWith([1, { a: 2, b: [3] }], { maxElements: 6 })).toBe('read');
    expect(codeWith([1, { a: 2, b: [3] }], { maxElements: 5 })).toBe('plist.limit.elements');
    expect(codeWith(1, { maxElements: 0 })).toBe('plist.limit.elements');
  });

  test('have defaults', () => {
    expect(defaultLimits).toEqual({ maxBytes: 16 * 1024 * 1024, maxDepth: 512, maxElements: 1_000_000 });
    expect(codeWith(new Array<boolean>(1_000_000).fill(true), {})).toBe('plist.limit.elements');
    expect(errorOf(() => decode(new Uint8Array(defaultLimits.maxBytes + 1))).code).toBe('plist.limit.bytes');
  });
});

test.each([
  ['XML', (depth: number) => Buffer.from(root('<array>'.repeat(depth) + '</array>'.repeat(depth)))],
  ['binary', (depth: number) => encodeBinary(nest(depth), { maxDepth: depth })],
])('depth does not use up the stack, however far it is raised: %s', (_, make) => {
  let read = decode(make(200_000), { limits: { maxDepth: 200_000 } }) as unknown[];
  let depth = 1;
  for (; read.length > 0; depth += 1) read = read[0] as unknown[];
  expect(depth).toBe(200_000);
  // Indentation makes XML of that depth too large to write; this much must work.
  expect(encodeXml(nest(5_000), { maxDepth: 5_000 }).length).toBeGreaterThan(5_000 * 5_000);
});

/** Arrays in arrays, so many deep. */
function nest(depth: number): PlistInput {
  let value: PlistInput[] = [];
  for (let level = 1; level < depth; level += 1) value = [value];
  return value;
}

test('a limit is named with its place', () => {
  const error = errorOf(() =>
    decode(root('<dict><key>a</key><array><true/><true/></array></dict>'), { limits: { maxElements: 3 } }),
  );
  expect([error.code, error.at]).toEqual(['plist.limit.elements', { offset: 53, line: 1, column: 54, path: '/a/1' }]);
});

describe('a binary document that refers to the same again and again', () => {
  /** Each level is an array with ten references to the next. */
  const laughs = (levels: number): Uint8Array => {
    const objects = Array.from({ length: levels }, (_, level) => [0xaa, ...new Array<number>(10).fill(level + 1)]);
    return layOut({ objects: [...objects, [0x51, 0x61]] });
  };

  test('counts each reference', () => {
    expect((decode(laughs(3)) as unknown[]).flat(2)).toHaveLength(1000);
    const error = errorOf(() => decode(laughs(20)));
    expect(error.code).toBe('plist.limit.elements');
    expect(errorOf(() => decode(laughs(4), { limits: { maxElements: 11_110 } })).code).toBe('plist.limit.elements');
    expect(decode(laughs(4), { limits: { maxElements: 11_111 } })).toHaveLength(10);
  });

  test('counts the bytes of strings, keys and data as often as they are referred to', () => {
    const string = [0x5f, 0x11, 0x10, 0x00, ...new Array<number>(4096).fill(0x61)];
    const wide = [0x6f, 0x11, 0x10, 0x00, ...new Array<number>(8192).fill(0x20)];
    const data = [0x4f, 0x11, 0x10, 0x00, ...new Array<number>(4096).fill(7)];
    const many = (first: number[]): Uint8Array =>
      layOut({ objects: [[0xaf, 0x10, 200, ...new Array<number>(200).fill(1)], first] });
    for (const object of [string, wide, data]) {
      expect(decode(many(object), { limits: { maxBytes: 200 * 4096 } })).toHaveLength(200);
      expect(errorOf(() => decode(many(object), { limits: { maxBytes: 200 * 4096 - 1 } })).code).toBe(
        'plist.limit.bytes',
      );
    }
    const dicts = layOut({
      objects: [[0xaf, 0x10, 200, ...new Array<number>(200).fill(1)], [0xd1, 2, 3], string, [0x09]],
    });
    expect(errorOf(() => decode(dicts, { limits: { maxBytes: 200 * 4096 - 1 } })).code).toBe('plist.limit.bytes');
  });

  test('does not share what can be changed', () => {
    const [first, second] = decode(
      layOut({
        objects: [
          [0xa2, 1, 1],
          [0x41, 7],
        ],
      }),
    ) as [Uint8Array, Uint8Array];
    first[0] = 1;
    expect(second[0]).toBe(7);
  });
});

describe('dictionaries', () => {
  const hostile = [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'valueOf',
    '__defineGetter__',
    'prototype',
    'then',
    'toJSON',
  ];

  test.each([
    [
      'XML',
      (keys: string[]) =>
        Buffer.from(
          root(
            `<dict>${keys.map((key) => `<key>${key}</key><dict><key>polluted</key><true/></dict>`).join('')}</dict>`,
          ),
        ),
    ],
    ['binary', (keys: string[]) => encodeBinary(Object.fromEntries(keys.map((key) => [key, { polluted: true }])))],
  ])('of %s take any key as an ordinary one', (_, make) => {
    const dict = decodeDict(make(hostile));
    expect(Object.keys(dict)).toEqual(hostile);
    for (const key of hostile) {
      expect(Object.hasOwn(dict, key)).toBe(true);
      expect(dict[key]).toEqual({ polluted: true });
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(dict['polluted']).toBeUndefined();
    // Going back out, nothing is lost either.
    expect(Object.keys(decodeDict(encodeXml(dict)))).toEqual(hostile);
  });

  test.each([
    ['XML', decodeDict(root('<dict><key>a</key><true/></dict>'))],
    ['binary', decodeDict(encodeBinary({ a: true }))],
    ['an empty element', decodeDict(root('<dict/>'))],
  ])('of %s inherit nothing', (_, dict) => {
    for (const key of hostile) {
      expect(dict[key]).toBeUndefined();
      expect(key in dict).toBe(false);
    }
    // What all of them share cannot be changed through one of them.
    const shared = Object.getPrototypeOf(dict) as object;
    expect(Object.isFrozen(shared)).toBe(true);
    expect(Reflect.ownKeys(shared)).toEqual([]);
    expect(Object.getPrototypeOf(shared)).toBeNull();
  });

  test('can be copied, compared, cloned and turned into JSON', () => {
    const dict = decodeDict(root('<dict><key>a</key><array><dict/></array><key>b</key><real>1</real></dict>'));
    expect({ ...dict, b: 2 }).toEqual({ a: [{}], b: 2 });
    expect(JSON.stringify(dict)).toBe('{"a":[{}],"b":1}');
    expect(structuredClone(decodeDict(root('<dict><key>a</key><array><dict/></array></dict>')))).toEqual({ a: [{}] });
  });
});
