// Checks a profile: its own keys, and each payload with the common keys and those of its type.

import { schema } from '../schema/catalogue.ts';
import type { SchemaItem } from '../schema/model.ts';
import { platforms } from '../schema/model.ts';
import { checkDictionary, judgeItem, type Walk } from './check.ts';
import { compileItem, type Fields } from './compile.ts';
import { Issues, type Place } from './issue.ts';
import { nearest } from './nearest.ts';
import { entry, nameOfType, showList, typeOfValue } from './values.ts';

const payloadContent = new Set(['PayloadContent']);

/** The two tables that every profile needs. */
function commonFields(): Fields {
  return compileItem(schema.commonPayloadKeys()).fields;
}

function notDictionary(walk: Walk, value: unknown, place: Place | null): boolean {
  const type = typeOfValue(value);
  if (type === 'dictionary') return false;
  walk.issues.add(place, 'type.wrong', 'error', `is ${nameOfType(type)}, not a dictionary`, 'Give a dictionary.');
  return true;
}

/** Whether a device takes one payload of this type only: on the target, or on every platform that has it. */
function takesOne(walk: Walk, variants: readonly SchemaItem[]): boolean {
  return variants.every((item) => {
    const on = walk.target === null ? platforms : [walk.target.platform];
    const stated = on.flatMap((platform) => {
      const facts = item.supportedOS?.[platform];
      return facts === undefined || facts.introduced === 'n/a' ? [] : [facts.multiple];
    });
    return stated.length > 0 && stated.every((multiple) => multiple === false);
  });
}

/** Runs one file's check apart, to see how well the payload fits it. The other files' keys are known, but not required. */
function tryVariant(walk: Walk, item: SchemaItem, variants: readonly SchemaItem[], value: object, place: Place | null) {
  const issues = new Issues(walk.issues.limit);
  const own = { ...walk, issues };
  const others = variants
    .filter((other) => other !== item)
    .map((other): Fields => ({ ...compileItem(other).fields, requiredNodes: [], rules: [] }));
  judgeItem(own, item.id, item.supportedOS, place);
  checkDictionary(own, [compileItem(item).fields, ...others, commonFields()], value, place, 0);
  return issues;
}

const errorsIn = (issues: Issues): number => issues.list.filter((issue) => issue.severity === 'error').length;

/** Checks one payload. */
export function checkPayload(walk: Walk, value: unknown, place: Place | null): void {
  if (notDictionary(walk, value, place)) return;
  const dictionary = value as object;
  const type = entry(dictionary, 'PayloadType');
  const variants = typeof type === 'string' ? schema.payloadVariants(type) : [];
  const [only] = variants;
  if (only === undefined) {
    // The common keys can be checked all the same; every other key is the unknown type's own.
    checkDictionary(walk, [commonFields()], dictionary, place, 0, undefined, () => true);
    if (typeof type !== 'string') return;
    const close = nearest(type, schema.names('profile'), 2);
    const remedy = close.length > 0 ? `Did you mean ${close.join(' or ')}?` : 'Check how it is written.';
    walk.issues.add(
      { parent: place, name: 'PayloadType' },
      'schema.unknown',
      'warning',
      'is not in the schema',
      remedy,
    );
    return;
  }
  if (variants.length === 1) {
    judgeItem(walk, only.id, only.supportedOS, place);
    checkDictionary(walk, [compileItem(only).fields, commonFields()], dictionary, place, 0);
    return;
  }
  // Several files describe the type: the one that fits best counts.
  const tried = variants.map((item) => tryVariant(walk, item, variants, dictionary, place));
  tried.sort((a, b) => errorsIn(a) - errorsIn(b) || a.list.length - b.list.length);
  for (const issue of tried[0]?.list ?? []) if (!walk.issues.full) walk.issues.list.push(issue);
}

function checkDuplicates(walk: Walk, payloads: readonly unknown[], place: Place): void {
  for (const name of ['PayloadUUID', 'PayloadIdentifier']) {
    const seen = new Map<string, number>();
    payloads.forEach((payload, index) => {
      const value = typeOfValue(payload) === 'dictionary' ? entry(payload as object, name) : undefined;
      if (typeof value !== 'string') return;
      const key = name === 'PayloadUUID' ? value.toLowerCase() : value;
      const before = seen.get(key);
      if (before === undefined) {
        seen.set(key, index);
        return;
      }
      const at: Place = { parent: { parent: place, name: index }, name };
      const message = `is the same as that of payload ${before}`;
      walk.issues.add(at, 'profile.duplicate', 'error', message, `Give each payload its own ${name}.`);
    });
  }
}

function checkMultiple(walk: Walk, payloads: readonly unknown[], place: Place): void {
  const byType = new Map<string, number[]>();
  payloads.forEach((payload, index) => {
    const type = typeOfValue(payload) === 'dictionary' ? entry(payload as object, 'PayloadType') : undefined;
    if (typeof type !== 'string') return;
    const same = byType.get(type);
    if (same === undefined) byType.set(type, [index]);
    else same.push(index);
  });
  for (const [type, indexes] of byType) {
    const variants = indexes.length > 1 ? schema.payloadVariants(type) : [];
    if (variants.length === 0 || !takesOne(walk, variants)) continue;
    const message = `a device takes one payload of ${type}; payloads ${showList(indexes, 'and')} are of it`;
    const at: Place = { parent: place, name: indexes[1] as number };
    walk.issues.add(at, 'profile.multiple', 'error', message, 'Merge them into one payload.');
  }
}

/** Checks a whole profile. */
export function checkProfile(walk: Walk, value: unknown): void {
  if (notDictionary(walk, value, null)) return;
  const dictionary = value as object;
  const top = schema.profileKeys();
  judgeItem(walk, 'A profile', top.supportedOS, null);
  const content = entry(dictionary, 'PayloadContent');
  const isList = Array.isArray(content);
  checkDictionary(walk, [compileItem(top).fields], dictionary, null, 0, isList ? payloadContent : undefined);
  if (!isList) return;
  const place: Place = { parent: null, name: 'PayloadContent' };
  content.forEach((payload: unknown, index) => {
    checkPayload(walk, payload, { parent: place, name: index });
  });
  checkDuplicates(walk, content, place);
  checkMultiple(walk, content, place);
}
