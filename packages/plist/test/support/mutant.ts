// Small damage to a document: bytes changed, removed, repeated, inserted; parts swapped or taken from markup.

const snippets = [
  '<',
  '>',
  '/',
  '&',
  ';',
  '&#',
  '&#x',
  ']]>',
  '<![CDATA[',
  '<!--',
  '-->',
  '<?',
  '"',
  '\0',
  '\r',
  '\xff',
  '\xc3',
  '\xed\xa0\x80',
  '<key>',
  '</key>',
  '<dict>',
  '</dict>',
  '<array>',
  '</array>',
  '<string>',
  '</string>',
  '<integer>',
  '<true/>',
  '<data>',
  '<date>',
  '99999999999999999999',
  '=',
  '<!DOCTYPE plist [',
  '\x0f',
  '\x10',
  '\x13',
  '\xd1',
  '\xa1',
  '\x5f',
  '\x6f',
].map((text) => Buffer.from(text, 'latin1'));

/** A damaged copy; the same damage for the same seed. */
export function mutant(document: Uint8Array, seed: number): Uint8Array {
  let state = (Math.imul(seed, 2_654_435_761) + 12_345) >>> 0;
  const below = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  let bytes = Buffer.from(document);
  for (let turn = 0; turn <= below(3); turn += 1) {
    const at = below(bytes.length);
    const size = 1 + below(below(4) === 0 ? 40 : 4);
    const before = bytes.subarray(0, at);
    const after = bytes.subarray(Math.min(bytes.length, at + size));
    switch (below(7)) {
      case 0:
        bytes = Buffer.from(bytes);
        bytes[at] = below(256);
        break;
      case 1:
        bytes = Buffer.from(bytes);
        bytes[at] = bytes[at]! ^ (1 << below(8));
        break;
      case 2:
        bytes = Buffer.concat([before, after]);
        break;
      case 3:
        bytes = Buffer.concat([before, bytes.subarray(at, at + size), bytes.subarray(at, at + size), after]);
        break;
      case 4:
        bytes = Buffer.concat([before, snippets[below(snippets.length)]!, bytes.subarray(at)]);
        break;
      case 5:
        bytes = Buffer.concat([before, snippets[below(snippets.length)]!, after]);
        break;
      default: {
        const from = below(bytes.length);
        bytes = Buffer.concat([before, bytes.subarray(from, from + size), after]);
      }
    }
    if (bytes.length === 0) return bytes;
  }
  return bytes;
}
