// Checks declarations and status reports.
import { schema } from '../schema/catalogue.ts';
import { checkDictionary, checkNode, judgeItem, type Walk } from './check.ts';
import { compileItem } from './compile.ts';
import type { Place } from './issue.ts';
import { nearest } from './nearest.ts';
import { entry, typeOfValue } from './values.ts';

const payloadKey = new Set(['Payload']);

/** Checks a declaration: Type, Identifier, ServerToken and the Payload of its type. */
export function checkDeclaration(walk: Walk, value: object): void {
  const type = entry(value, 'Type');
  const item = typeof type === 'string' ? schema.declaration(type) : undefined;
  const payload = entry(value, 'Payload');
  const known = item !== undefined && typeOfValue(payload) === 'dictionary';
  // ServerToken is the server's to add: a declaration at rest does not have it.
  const skip = new Set([...(known ? payloadKey : []), ...(Object.hasOwn(value, 'ServerToken') ? [] : ['ServerToken'])]);
  checkDictionary(walk, [compileItem(schema.declarationBase()).fields], value, null, 0, skip);
  if (item !== undefined) {
    judgeItem(walk, item.id, item.supportedOS, null);
    if (known) {
      checkDictionary(walk, [compileItem(item).fields], payload as object, { parent: null, name: 'Payload' }, 0);
    }
  } else if (typeof type === 'string') {
    const close = nearest(type, schema.names('declaration'), 2);
    const remedy = close.length > 0 ? `Did you mean ${close.join(' or ')}?` : 'Check how it is written.';
    walk.issues.add({ parent: null, name: 'Type' }, 'schema.unknown', 'warning', 'is not in the schema', remedy);
  }
}

/** Checks the value of one status item. */
export function checkStatusItem(walk: Walk, name: string, value: unknown, place: Place | null): boolean {
  const item = schema.status(name);
  if (item === undefined) return false;
  judgeItem(walk, name, item.supportedOS, place);
  const node = compileItem(item).fields.byName.get(item.keys[0]?.key ?? '');
  if (node !== undefined) checkNode(walk, node, value, place, 1);
  return true;
}

let prefixes: Set<string> | undefined;

/** Names without their last part, so that a walk down the report knows where an item can still begin. */
export function statusPrefixes(): ReadonlySet<string> {
  if (prefixes !== undefined) return prefixes;
  const found = new Set<string>();
  for (const name of schema.names('status')) {
    const parts = name.split('.');
    for (let i = 1; i < parts.length; i++) found.add(parts.slice(0, i).join('.'));
  }
  prefixes = found;
  return found;
}

function checkItems(walk: Walk, value: object, name: string, place: Place, inner: ReadonlySet<string>): void {
  for (const key of Object.keys(value)) {
    if (walk.issues.full) return;
    const child = (value as Record<string, unknown>)[key];
    const full = name === '' ? key : `${name}.${key}`;
    const at: Place = { parent: place, name: key };
    if (checkStatusItem(walk, full, child, at)) continue;
    if (inner.has(full) && typeOfValue(child) === 'dictionary') checkItems(walk, child as object, full, at, inner);
    else {
      const close = nearest(full, schema.names('status'), 1)[0];
      const remedy = close === undefined ? 'Check how it is written.' : `Did you mean ${close}?`;
      walk.issues.add(at, 'schema.unknown', 'warning', `${full} is not in the schema`, remedy);
    }
  }
}

/** Checks a status report: its keys, and every status item in it. */
export function checkStatusReport(walk: Walk, value: object): void {
  const report = schema.protocol('StatusReport');
  if (report !== undefined) checkDictionary(walk, [compileItem(report).fields], value, null, 0);
  const items = entry(value, 'StatusItems');
  if (typeOfValue(items) !== 'dictionary') return;
  checkItems(walk, items as object, '', { parent: null, name: 'StatusItems' }, statusPrefixes());
}
