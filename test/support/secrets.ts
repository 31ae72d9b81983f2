// Looking for planted secrets: every form in which bytes leak, in files, texts, and in what reaches a store.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '@espalier/core';

/** A secret as its name in the findings, and the bytes or text that must not be found. */
export type Planted = Readonly<Record<string, string | Uint8Array>>;

/** The forms in which a secret leaks: as it is, hexadecimal, base64 at any place of a longer text, escaped as JSON. */
function formsOf(secret: string | Uint8Array): Buffer[] {
  const bytes = Buffer.from(secret as string);
  const texts = [bytes.toString('hex'), bytes.toString('hex').toUpperCase()];
  for (const pad of [0, 1, 2]) {
    const shifted = Buffer.concat([Buffer.alloc(pad), bytes]);
    const whole = shifted.subarray(0, shifted.length - (shifted.length % 3)).toString('base64');
    const inner = whole.slice(pad === 0 ? 0 : 4);
    // What is left of a short secret says nothing.
    if (inner.length >= 8) texts.push(inner, inner.replaceAll('+', '-').replaceAll('/', '_'));
  }
  if (typeof secret === 'string') texts.push(JSON.stringify(secret).slice(1, -1));
  return [bytes, ...texts.map((text) => Buffer.from(text))];
}

/** The names of the secrets that are in there. */
export function leaks(planted: Planted, haystack: Uint8Array | string): string[] {
  const hay = Buffer.from(haystack as string);
  return Object.entries(planted)
    .filter(([, secret]) => formsOf(secret).some((form) => hay.includes(form)))
    .map(([name]) => name);
}

/** All bytes of all files below a folder that were changed since a time. */
export function everyByte(folder: string, since = 0): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return Buffer.concat(
    paths.filter((path) => statSync(path).mtimeMs >= since).flatMap((path) => usedBlocks(readFileSync(path))),
  );
}

const EMPTY = Buffer.alloc(8192);

/** The blocks of a file that hold anything: databases keep a lot of room in reserve. */
function usedBlocks(file: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 0; at < file.length; at += EMPTY.length) {
    const block = file.subarray(at, at + EMPTY.length);
    if (!block.equals(EMPTY)) blocks.push(block);
  }
  return blocks;
}

/** A store that keeps a record of everything that it is given. */
export function recordingStore(store: Store): { readonly store: Store; recorded(): Buffer } {
  const parts: Buffer[] = [];
  const record = (value: unknown): void => {
    if (value instanceof Uint8Array) parts.push(Buffer.from(value), Buffer.from('\n'));
    else if (typeof value === 'string') parts.push(Buffer.from(`${value}\n`));
    else if (typeof value === 'object' && value !== null) Object.entries(value).flat().forEach(record);
  };
  const wrap = <T extends object>(domain: T): T =>
    new Proxy(domain, {
      get(target, key) {
        const method: unknown = Reflect.get(target, key);
        if (typeof method !== 'function') return method;
        return (...input: unknown[]) => {
          input.forEach(record);
          return Reflect.apply(method, target, input) as unknown;
        };
      },
    });
  const domains = Object.entries(store).map(([name, domain]) => [
    name,
    typeof domain === 'object' && domain !== null ? wrap(domain) : domain,
  ]);
  return {
    store: { ...(Object.fromEntries(domains) as Store), close: () => store.close() },
    recorded: () => Buffer.concat(parts),
  };
}
