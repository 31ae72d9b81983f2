// Malformed binary property lists, each with the code of the error it must give.
import type { PlistErrorCode } from '../../src/index.ts';
import { layOut } from '../support/binary.ts';

export type MalformedBinary = readonly [what: string, document: Uint8Array, code: PlistErrorCode];

const one = (...object: number[]): Uint8Array => layOut({ objects: [object] });
const a = [0x51, 0x61];

export const malformedBinary: readonly MalformedBinary[] = [
  // The frame.
  ['the magic number alone', Buffer.from('bplist00'), 'plist.truncated'],
  ['less than the version', Buffer.from('bplist'), 'plist.truncated'],
  ['another version', Buffer.from('bplist15abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz'), 'plist.syntax'],
  ['a trailer only', Buffer.concat([Buffer.from('bplist00'), Buffer.alloc(32)]), 'plist.truncated'],
  ['no trailer', Buffer.from('bplist00\x09\x08'), 'plist.truncated'],
  ['a document cut short by a byte', layOut({ objects: [[0x09]] }).subarray(0, -1), 'plist.truncated'],
  [
    'a longer document cut short',
    layOut({ objects: [[0x4f, 0x10, 20, ...new Array<number>(20).fill(0)]] }).subarray(0, -9),
    'plist.syntax',
  ],
  ['no objects', layOut({ objects: [[0x09]], count: 0n }), 'plist.syntax'],
  ['more objects than there are', layOut({ objects: [[0x09]], count: 2n }), 'plist.syntax'],
  ['as many objects as 64 bits can say', layOut({ objects: [[0x09]], count: 2n ** 64n - 1n }), 'plist.syntax'],
  [
    'objects whose table size wraps around 64 bits',
    layOut({ objects: [[0x09]], count: 2n ** 61n, offsetSize: 8 }),
    'plist.syntax',
  ],
  ['a root that is not there', layOut({ objects: [[0x09]], root: 1n }), 'plist.syntax'],
  ['a root far away', layOut({ objects: [[0x09]], root: 2n ** 63n }), 'plist.syntax'],
  ['a table before the objects', layOut({ objects: [[0x09]], table: 0n }), 'plist.syntax'],
  ['a table in the header', layOut({ objects: [[0x09]], table: 8n }), 'plist.syntax'],
  ['a table past the end', layOut({ objects: [[0x09]], table: 1000n }), 'plist.syntax'],
  ['a table at the end of 64 bits', layOut({ objects: [[0x09]], table: 2n ** 64n - 1n }), 'plist.syntax'],
  ['offsets of no bytes', layOut({ objects: [[0x09]], declaredOffsetSize: 0 }), 'plist.syntax'],
  ['offsets of nine bytes', layOut({ objects: [[0x09]], declaredOffsetSize: 9 }), 'plist.syntax'],
  ['offsets of 255 bytes', layOut({ objects: [[0x09]], declaredOffsetSize: 255 }), 'plist.syntax'],
  ['references of no bytes', layOut({ objects: [[0x09]], referenceSize: 0 }), 'plist.syntax'],
  ['references of nine bytes', layOut({ objects: [[0x09]], referenceSize: 9 }), 'plist.syntax'],
  ['an offset into the header', layOut({ objects: [[0x09]], offsets: [0] }), 'plist.syntax'],
  ['an offset into the table', layOut({ objects: [[0x09]], offsets: [9] }), 'plist.syntax'],
  ['an offset past the end', layOut({ objects: [[0x09]], offsets: [255] }), 'plist.syntax'],
  ['something between the table and the trailer', layOut({ objects: [[0x09]], gap: 3 }), 'plist.syntax'],

  // Markers.
  ['null', one(0x00), 'plist.type'],
  ['a marker past true', one(0x0a), 'plist.type'],
  ['a URL', one(0x0c, 0x51, 0x61), 'plist.type'],
  ['a UUID', one(0x0e, ...new Array<number>(16).fill(0)), 'plist.type'],
  ['fill', one(0x0f), 'plist.type'],
  ['an unused marker 7x', one(0x70), 'plist.type'],
  ['an unused marker 9x', one(0x90), 'plist.type'],
  ['an ordered set', one(0xb0), 'plist.type'],
  ['a set', one(0xc0), 'plist.type'],
  ['an unused marker Ex', one(0xe0), 'plist.type'],
  ['an unused marker Fx', one(0xff), 'plist.type'],
  ['a real of one byte', one(0x20, 0), 'plist.type'],
  ['a real of 16 bytes', one(0x24, ...new Array<number>(16).fill(0)), 'plist.type'],
  ['a date of four bytes', one(0x32, 0, 0, 0, 0), 'plist.type'],
  ['an integer of 32 bytes', one(0x15, ...new Array<number>(32).fill(0)), 'plist.type'],

  // Contents that reach too far.
  ['an integer that reaches too far', one(0x13, 0, 0, 0), 'plist.syntax'],
  ['an integer of 16 bytes that reaches too far', one(0x14, 0), 'plist.syntax'],
  ['a real that reaches too far', one(0x23, 0), 'plist.syntax'],
  ['a short real that reaches too far', one(0x22, 0), 'plist.syntax'],
  ['a date that reaches too far', one(0x33, 0), 'plist.syntax'],
  ['data that reaches too far', one(0x42, 0), 'plist.syntax'],
  ['data of 2^64-1 bytes', one(0x4f, 0x13, 255, 255, 255, 255, 255, 255, 255, 255), 'plist.syntax'],
  ['data of 2^32 bytes', one(0x4f, 0x13, 0, 0, 0, 1, 0, 0, 0, 0), 'plist.syntax'],
  ['a string that reaches too far', one(0x52, 0x61), 'plist.syntax'],
  ['a string of 2^63 characters', one(0x5f, 0x13, 128, 0, 0, 0, 0, 0, 0, 0), 'plist.syntax'],
  ['a UTF-16 string that reaches too far', one(0x62, 0, 0x61), 'plist.syntax'],
  ['a UTF-16 string whose size in bytes would wrap around', one(0x6f, 0x13, 128, 0, 0, 0, 0, 0, 0, 0), 'plist.syntax'],
  ['a uid that reaches too far', one(0x83, 0), 'plist.syntax'],
  ['an array that reaches too far', one(0xa2, 0), 'plist.syntax'],
  ['an array of 2^62 values', one(0xaf, 0x13, 64, 0, 0, 0, 0, 0, 0, 0), 'plist.syntax'],
  ['a dictionary that reaches too far', layOut({ objects: [[0xd2, 1], a] }), 'plist.syntax'],
  ['a dictionary whose values reach too far', layOut({ objects: [a, [0xd1, 0]], root: 1n }), 'plist.syntax'],
  ['a dictionary of 2^63 entries', one(0xdf, 0x13, 128, 0, 0, 0, 0, 0, 0, 0), 'plist.syntax'],
  ['a size that is no integer', one(0x4f, 0x51, 0), 'plist.syntax'],
  ['a size of 16 bytes', one(0x4f, 0x14, ...new Array<number>(16).fill(0)), 'plist.syntax'],
  ['a size that reaches too far', one(0x4f, 0x12, 0), 'plist.syntax'],
  ['a size that is missing', one(0x4f), 'plist.syntax'],

  // References.
  ['a reference to nothing', layOut({ objects: [[0xa1, 1]] }), 'plist.syntax'],
  [
    'a reference to the end of 64 bits',
    layOut({ objects: [[0xa1, ...new Array<number>(8).fill(255)]], referenceSize: 8 }),
    'plist.syntax',
  ],
  ['a key that is no string', layOut({ objects: [[0xd1, 1, 1], [0x09]] }), 'plist.type'],
  ['a key that is the dictionary itself', layOut({ objects: [[0xd1, 0, 1], [0x09]] }), 'plist.type'],
  ['a key that is nothing', layOut({ objects: [[0xd1, 9, 1], [0x09]] }), 'plist.syntax'],
  ['the same key twice', layOut({ objects: [[0xd2, 1, 1, 2, 2], a, [0x09]] }), 'plist.duplicate_key'],
  [
    'the same key twice, as two objects',
    layOut({ objects: [[0xd2, 1, 2, 3, 3], a, a, [0x09]] }),
    'plist.duplicate_key',
  ],
  ['an array in itself', layOut({ objects: [[0xa1, 0]] }), 'plist.cycle'],
  ['a dictionary in itself', layOut({ objects: [[0xd1, 1, 0], a] }), 'plist.cycle'],
  [
    'an array in its own array',
    layOut({
      objects: [
        [0xa1, 1],
        [0xa1, 0],
      ],
    }),
    'plist.cycle',
  ],
  ['two numbers for one array in itself', layOut({ objects: [[0xa1, 1], []], offsets: [8, 8] }), 'plist.cycle'],

  // Contents.
  ['an ASCII string that is not', one(0x51, 0x80), 'plist.encoding'],
  ['half of a surrogate pair', one(0x61, 0xd8, 0x00), 'plist.encoding'],
  ['the halves of a surrogate pair in the wrong order', one(0x62, 0xdc, 0, 0xd8, 0), 'plist.encoding'],
  ['an integer of 2^64', one(0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0), 'plist.range'],
  [
    'an integer of -2^63-1',
    one(0x14, ...new Array<number>(8).fill(255), 0x7f, ...new Array<number>(7).fill(255)),
    'plist.range',
  ],
  ['a uid of more than 64 bits', one(0x88, 1, 0, 0, 0, 0, 0, 0, 0, 0), 'plist.range'],
  ['a uid of 128 bits', one(0x8f, ...new Array<number>(16).fill(255)), 'plist.range'],
  ['a date that is not a number', one(0x33, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0), 'plist.range'],
  ['a date at infinity', one(0x33, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0), 'plist.range'],
  ['a date past the end of dates', one(0x33, 0x43, 0x40, 0, 0, 0, 0, 0, 0), 'plist.range'],
];
