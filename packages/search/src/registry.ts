// A catalogue of fields: look-up without regard to case, aliases, extension at run time.
import { SearchError } from './errors.ts';
import type { Field } from './field.ts';
import { fold, isText } from './fold.ts';
import { nearest } from './nearest.ts';

/** An immutable set of searchable fields. */
export interface Catalogue {
  readonly fields: readonly Field[];
  /** The field of a token or alias. Case, spaces, hyphens and underscores do not count. */
  get(token: string): Field | undefined;
  /** Canonical tokens that look like the given one, best first. */
  suggest(token: string, count?: number): string[];
  /** A catalogue with further fields; a field with a known token replaces it. @throws {SearchError} `search.catalogue` */
  extend(fields: readonly Field[]): Catalogue;
  /** A catalogue without the fields that `hide` chooses: for whoever may not see them they do not exist. */
  without(hide: (field: Field) => boolean): Catalogue;
}

const tokenText = /^[^".\p{Cc}]+(?:\.[^".\p{Cc}]+)+$/u;

/** Is this text a token: two or more segments with dots between, no quotes and no control characters? */
export function isToken(text: string): boolean {
  return tokenText.test(text) && isText(text);
}

/** The form under which two spellings of a token are the same. */
export function tokenKey(token: string): string {
  return fold(token).replace(/[ _-]/g, '');
}

/**
 * Builds a catalogue.
 * @throws {SearchError} `search.catalogue` when a token is malformed or two fields share a token or alias
 * @example createCatalogue([{ token: 'asset.room', displayName: 'Room', category: 'asset', type: 'str', platforms: [],
 *   vendor: 'server', sources: [{ from: 'Server' }] }])
 */
export function createCatalogue(fields: readonly Field[]): Catalogue {
  const index = new Map<string, Field>();
  const add = (token: string, field: Field): void => {
    const key = tokenKey(token);
    const taken = index.get(key);
    if (taken !== undefined && taken !== field) {
      throw new SearchError('search.catalogue', 'invalid', `"${token}" names both ${taken.token} and ${field.token}`);
    }
    index.set(key, field);
  };
  for (const field of fields) {
    if (!isToken(field.token)) {
      throw new SearchError('search.catalogue', 'invalid', `"${field.token}" is not a field token`, {
        remedy: 'write two or more segments with dots between: "asset.room"',
      });
    }
    add(field.token, field);
    for (const alias of field.aliases ?? []) add(alias, field);
  }
  return {
    fields,
    get: (token) => index.get(tokenKey(token)),
    suggest: (token, count = 3) => {
      const names = new Map<string, string>();
      for (const field of fields) {
        names.set(field.token, field.token);
        for (const alias of field.aliases ?? []) names.set(alias, field.token);
        names.set(field.displayName, field.token);
        names.set(field.token.slice(field.token.indexOf('.') + 1), field.token);
      }
      const found = nearest(token, names.keys(), count * 3).map((name) => names.get(name)!);
      return [...new Set(found)].slice(0, count);
    },
    extend: (more) => {
      const replaced = new Set(more.map((f) => tokenKey(f.token)));
      return createCatalogue([...fields.filter((f) => !replaced.has(tokenKey(f.token))), ...more]);
    },
    without: (hide) => createCatalogue(fields.filter((f) => !hide(f))),
  };
}
