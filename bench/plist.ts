// The property-list codec against its peers: `npm run bench -- plist [--quick]`.
import { decode, decodeDict, encodeBinary, encodeXml, type PlistInput, PlistReal } from '@espalier/plist';
import { parse as parseAny } from '@plist/parse';
import createBinary from 'bplist-creator';
import { parseBuffer } from 'bplist-parser';
import { parse as parseFast } from 'fast-plist';
import * as plist from 'plist';
import { documents } from './fixtures/plist-documents.ts';
import { pythonRates } from './fixtures/plist-python.ts';
import { type Runner, race } from './fixtures/plist-race.ts';
import { decodeWithSaxes } from './fixtures/plist-saxes.ts';
import type { BenchResult } from './result.ts';

/** Least ratio for each peer; every peer that is not named must at least be outrun. */
const required: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'XML decode': { plist: 20, 'saxes-based': 1.5 },
  'XML encode': { plist: 10 },
};

const viewsOnly = 'plist, data not copied';

/** Compares decoding and encoding, XML and binary, on three documents. Ours decodes from bytes, as a server gets
 * them, and everything encodes to bytes; peers that read text are given text. */
export async function run(args: readonly string[] = []): Promise<BenchResult[]> {
  const quick = args.includes('--quick');
  const results: BenchResult[] = [];
  for (const { name, value } of documents) {
    const xml = encodeXml(value);
    const text = new TextDecoder().decode(xml);
    const binary = encodeBinary(value);
    const buffer = Buffer.from(binary);
    const exact = binary.buffer.slice(binary.byteOffset, binary.byteOffset + binary.length) as ArrayBuffer;
    const plain = plainOf(value);
    const tasks: readonly { readonly task: string; readonly bytes: number; readonly runners: readonly Runner[] }[] = [
      {
        task: 'XML decode',
        bytes: xml.length,
        runners: [
          { name: 'ours', run: () => decodeDict(xml) },
          { name: 'plist', run: () => plist.parse(text) },
          { name: 'fast-plist', run: () => parseFast(text) },
          { name: '@plist/parse', run: () => parseAny(text) },
          { name: 'saxes-based', run: () => decodeWithSaxes(text) },
        ],
      },
      {
        task: 'XML encode',
        bytes: xml.length,
        runners: [
          { name: 'ours', run: () => encodeXml(value) },
          { name: 'plist', run: () => new TextEncoder().encode(plist.build(plain as never)) },
        ],
      },
      {
        task: 'binary decode',
        bytes: binary.length,
        runners: [
          { name: 'ours', run: () => decode(binary) },
          { name: 'bplist-parser', run: () => parseBuffer(buffer) },
          { name: '@plist/parse', run: () => parseAny(exact) },
          // What `plist` returns as data are views into its input, which change with it. Ours are copies, as are those of
          // the others, so it is given a copy to look into; the row without one is shown too, and requires nothing.
          { name: 'plist', run: () => plist.parseBinary(binary.slice()) },
          { name: viewsOnly, run: () => plist.parseBinary(binary) },
        ],
      },
      {
        task: 'binary encode',
        bytes: binary.length,
        runners: [
          { name: 'ours', run: () => encodeBinary(value) },
          { name: 'bplist-creator', run: () => createBinary(plain as never) },
          { name: 'plist', run: () => plist.buildBinary(plain as never) },
        ],
      },
    ];
    const python = pythonRates(xml, binary);
    for (const { task, bytes, runners } of tasks) {
      const laps = race(runners, quick ? 8 : 25, 20);
      const ours = laps[0]!;
      results.push({ name: `${task}, ${name}`, value: bytes / 1000 / ours.time, unit: 'MB/s' });
      const peers = laps.slice(1).map((lap) => ({ peer: lap.name, ratio: lap.slower }));
      const rate = python?.[task];
      if (rate !== undefined) peers.push({ peer: 'python plistlib', ratio: rate / ours.time });
      for (const { peer, ratio } of peers) {
        const least = required[task]?.[peer] ?? 1;
        const result = { name: `${task}, ${name}`, value: bytes / 1000 / (ours.time * ratio), unit: 'MB/s', peer };
        results.push({ ...result, ratio, ...(peer === viewsOnly ? {} : { required: least, ok: ratio >= least }) });
      }
    }
  }
  return results;
}

/** The value with plain numbers, as the peers take it. */
function plainOf(value: PlistInput): unknown {
  if (value instanceof PlistReal) return value.value;
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object' || value instanceof Date || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plainOf(each as PlistInput)]));
}
