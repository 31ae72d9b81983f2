// Store URLs: `memory:`, `sqlite:FILE` or a plain path, `postgres://…`.
import { CliError } from '../errors.ts';

/** Where a store is. */
export type StoreAddress = { readonly shown: string } & (
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string | undefined }
);

/** How a store URL is written, for the commands' help. */
export const storeUrlHelp = `URL is sqlite:FILE or just FILE, postgres://USER:PASSWORD@HOST/DATABASE, or
memory: (an empty store that is gone at the end, for trying things out).`;

/**
 * Reads a store URL.
 * @param schema the PostgreSQL schema, where it is not the usual one
 * @throws CliError `cli.usage`
 */
export function readStoreAddress(text: string, schema: string | undefined): StoreAddress {
  const address = readAddress(text, schema);
  if (schema !== undefined && address.kind !== 'postgres') {
    throw new CliError('cli.usage', '--schema is for PostgreSQL only');
  }
  return address;
}

function readAddress(text: string, schema: string | undefined): StoreAddress {
  if (text === 'memory:') return { kind: 'memory', shown: text };
  // One letter before the colon is a drive.
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === 'postgres' || scheme === 'postgresql') {
    return { kind: 'postgres', url: text, schema, shown: withoutPassword(text) };
  }
  if (scheme !== undefined && scheme !== 'sqlite') {
    throw new CliError('cli.usage', `${withoutPassword(text)} is no store: use memory:, sqlite:FILE or postgres://…`);
  }
  const file = text.replace(/^sqlite:(?:\/\/(?=\/))?/i, '');
  if (file === '') throw new CliError('cli.usage', 'the store URL names no file');
  return { kind: 'sqlite', file, shown: `sqlite:${file}` };
}

/** The URL as it may be shown: neither the password of the user part nor one among the parameters. */
function withoutPassword(text: string): string {
  return text.replace(/^([^:]+:\/\/[^:@/]*):.*@/, '$1:***@').replace(/([?&][^=&]*password=)[^&]*/gi, '$1***');
}
