// Walks a value along the schema's keys and reports what does not fit.
import type { Support } from '../schema/model.ts';
import { alwaysAvailable } from '../schema/support.ts';
import type { Fields, Node } from './compile.ts';
import type { Issues, Place, Severity } from './issue.ts';
import { objectionsTo, surelyApplies } from './judge.ts';
import { nearest } from './nearest.ts';
import { checkRules, waivedKeys } from './rules.ts';
import { checkScalar, checkType, type Notation } from './scalar.ts';
import type { Target } from './target.ts';
import { entry, show, showList, typeOfValue } from './values.ts';

/** What stays the same during one walk. */
export interface Walk {
  readonly issues: Issues;
  readonly target: Target | null;
  readonly notation: Notation;
  /** How bad a key is that the target has not: a profile's key is passed over, a command's fails the command. */
  readonly keySeverity: Severity;
}

/** Apple's schema is not this deep; a value that is cannot be meant. */
const maxDepth = 64;

/** Reports what speaks against the item as a whole. True when it is not for the platform at all. */
export function judgeItem(walk: Walk, name: string, support: Support | undefined, place: Place | null): boolean {
  if (walk.target === null) return false;
  for (const { code, severity, reason, remedy } of objectionsTo(support, walk.target)) {
    walk.issues.add(place, code, severity, `${name} ${reason}`, remedy);
    if (code === 'target.platform') return true;
  }
  return false;
}

/** Judges a key's own availability; what its parent has in common with it was said there. */
function judgeNode(walk: Walk, node: Node, place: Place | null): void {
  const target = walk.target;
  if (target === null || node.ownSupport?.[target.platform] === undefined) return;
  const objections = objectionsTo(node.support, target);
  if (objections.length === 0) return;
  const said = objectionsTo(node.parentSupport, target);
  for (const { code, severity, reason, remedy } of objections) {
    if (said.some((other) => other.code === code)) continue;
    walk.issues.add(place, code, severity === 'error' ? walk.keySeverity : severity, reason, remedy);
  }
}

function applies(walk: Walk, node: Node): boolean {
  if (node.key.until !== undefined) return false;
  if (walk.target === null) return node.alwaysRequired || alwaysAvailable(node.key, node.parentSupport);
  if (node.ownSupport?.[walk.target.platform] === undefined) return true;
  return surelyApplies(node.support, node.parentSupport, walk.target);
}

function unknownKey(walk: Walk, fields: readonly Fields[], name: string, place: Place): void {
  const known = fields.flatMap((one) => [...one.byName.keys()]);
  const close = nearest(name, known, 2);
  const remedy = close.length > 0 ? `Did you mean ${close.join(' or ')}?` : 'Remove it, or check how it is written.';
  walk.issues.add(place, 'key.unknown', 'warning', 'is not in the schema', remedy);
}

/**
 * Checks a dictionary against the keys of one or several parts (a payload's own and the common ones).
 * `skip`: names that something else looks after. `alsoKnown`: keys that are right, though not described here.
 */
export function checkDictionary(
  walk: Walk,
  parts: readonly Fields[],
  value: object,
  place: Place | null,
  depth: number,
  skip?: ReadonlySet<string>,
  alsoKnown?: (name: string) => boolean,
): void {
  const dictionary = value as Readonly<Record<string, unknown>>;
  const open = parts.length === 1 && parts[0]?.open === true;
  for (const name of Object.keys(dictionary)) {
    if (walk.issues.full) return;
    if (skip?.has(name)) continue;
    let node: Node | undefined;
    for (const fields of parts) node ??= fields.byName.get(name);
    for (const fields of parts) node ??= fields.wildcard;
    if (node === undefined) {
      if (!open && !alsoKnown?.(name)) unknownKey(walk, parts, name, { parent: place, name });
      continue;
    }
    checkNode(walk, node, dictionary[name], { parent: place, name }, depth + 1);
  }
  for (const fields of parts) {
    if (fields.requiredNodes.length > 0) checkRequired(walk, fields, dictionary, place, skip);
    if (fields.rules.length > 0) {
      checkRules(fields, dictionary, place, walk.issues, (name) => {
        const node = fields.byName.get(name);
        return node !== undefined && applies(walk, node);
      });
    }
  }
}

function checkRequired(
  walk: Walk,
  fields: Fields,
  value: Readonly<Record<string, unknown>>,
  place: Place | null,
  skip: ReadonlySet<string> | undefined,
): void {
  let waived: readonly string[] | undefined;
  for (const node of fields.requiredNodes) {
    const name = node.key.key;
    if (Object.hasOwn(value, name) || skip?.has(name) || !applies(walk, node)) continue;
    waived ??= fields.rules.length > 0 ? waivedKeys(fields, value) : [];
    if (waived.includes(name)) continue;
    const what = node.list?.size === 1 ? `Add ${name} with the value ${showList(node.list)}.` : `Add ${name}.`;
    walk.issues.add({ parent: place, name }, 'key.missing', 'error', 'is required', what);
  }
}

/** Checks one key's value. */
export function checkNode(walk: Walk, node: Node, value: unknown, place: Place | null, depth: number): void {
  const { issues } = walk;
  if (issues.full) return;
  if (depth > maxDepth) {
    issues.add(place, 'value.depth', 'error', 'is nested too deep', 'Check for a value that contains itself.');
    return;
  }
  judgeNode(walk, node, place);
  if (node.key.until !== undefined) {
    const message = `is no longer in the schema after ${node.key.until}`;
    issues.add(place, 'key.retired', 'warning', message, 'Remove it for newer systems.');
  }
  if (node.key.listed === true && Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      checkValue(walk, node, item, { parent: place, name: index }, depth + 1);
    }
  } else checkValue(walk, node, value, place, depth);
}

function checkValue(walk: Walk, node: Node, value: unknown, place: Place | null, depth: number): void {
  const { issues, notation } = walk;
  if (issues.full || !checkType(node, value, place, issues, notation)) return;
  if (node.fields !== undefined) checkDictionary(walk, [node.fields], value as object, place, depth);
  else if (node.type === 'array') checkArray(walk, node, value as readonly unknown[], place, depth);
  else if (node.values !== undefined) checkNamedValue(walk, node.values, value as string, place);
  else if (node.type !== 'any') checkScalar(node, value, place, issues);
}

/** A string of which the schema lists the possible values with their availability. */
function checkNamedValue(walk: Walk, values: ReadonlyMap<string, Node>, value: string, place: Place | null): void {
  const node = values.get(value);
  if (node !== undefined) {
    judgeNode(walk, node, place);
    return;
  }
  const close = nearest(value, values.keys(), 2);
  const remedy = close.length > 0 ? `Did you mean ${close.join(' or ')}?` : 'Remove it, or check how it is written.';
  walk.issues.add(place, 'value.list', 'warning', `${show(value)} is not in the schema`, remedy);
}

function checkArray(walk: Walk, node: Node, value: readonly unknown[], place: Place | null, depth: number): void {
  const [first] = node.items;
  if (first === undefined) return;
  const count = first.key.repetition;
  if (count !== undefined && (value.length < count.min || value.length > count.max)) {
    const wanted = count.min === count.max ? `${count.min}` : `${count.min} to ${count.max}`;
    const message = `has ${value.length} items, not ${wanted}`;
    walk.issues.add(place, 'value.count', 'error', message, `Give ${wanted} items.`);
  }
  for (let index = 0; index < value.length; index++) {
    if (walk.issues.full) return;
    const at: Place = { parent: place, name: index };
    const item = node.items.length === 1 ? first : chooseAlternative(walk, node.items, value[index], at);
    if (item !== undefined) checkNode(walk, item, value[index], at, depth + 1);
  }
}

/** Alternatives (the items of Settings) tell themselves apart by a key that has one possible value. */
function chooseAlternative(walk: Walk, items: readonly Node[], value: unknown, place: Place): Node | undefined {
  const [first] = items;
  if (typeOfValue(value) !== 'dictionary') return first;
  const known: string[] = [];
  let tag = '';
  for (const item of items) {
    for (const [name, field] of item.fields?.byName ?? []) {
      if (field.list?.size !== 1 || !field.required) continue;
      tag = name;
      const [only] = field.list;
      if (entry(value as object, name) === only) return item;
      known.push(String(only));
    }
  }
  const given = entry(value as object, tag);
  const at: Place = { parent: place, name: tag };
  if (given === undefined) {
    walk.issues.add(at, 'key.missing', 'error', 'is required', `Add ${tag}: ${showList(known)}.`);
    return undefined;
  }
  const close = typeof given === 'string' ? nearest(given, known, 1)[0] : undefined;
  const remedy = close === undefined ? `Use ${showList(known)}.` : `Did you mean ${show(close)}?`;
  walk.issues.add(at, 'value.list', 'error', `${show(given)} is not one of the allowed values`, remedy);
  return undefined;
}
