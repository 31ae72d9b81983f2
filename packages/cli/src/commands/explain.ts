// `espalier explain NAME`: what the schema says about a command, payload, declaration, status item, check-in or error.
import {
  nearest,
  objectionsTo,
  type SchemaItem,
  type SchemaKey,
  type SchemaMatch,
  schema,
  schemaKinds,
  type Target,
} from '@espalier/apple-mdm';
import { type CliCommand, readArgs } from '../command.ts';
import { CliError } from '../errors.ts';
import { keyRows } from '../explain/keys.ts';
import { itemText, kindNames } from '../explain/text.ts';
import type { Io } from '../io.ts';
import { targetHelp, targetOption } from '../options.ts';
import { paragraph } from '../text/wrap.ts';

const help = `usage: espalier explain NAME… [--target T] [--json]

NAME is an MDM command (DeviceLock), a profile payload (com.apple.wifi.managed),
a declaration (com.apple.configuration.passcode.settings), a status item
(passcode.is-present), a check-in message (TokenUpdate), an error code or a key.
The com.apple. in front may be left out, as may com.apple.configuration.

${targetHelp}
  --json       the facts as JSON

Exit code 1: no such name.`;

const shortcuts = ['', 'com.apple.', 'com.apple.configuration.', 'com.apple.asset.', 'com.apple.management.'];

/** The items of one name: several files for one payload type are several items. */
function itemsOf(match: SchemaMatch): readonly SchemaItem[] {
  return match.kind === 'profile' ? schema.payloadVariants(match.item.id) : [match.item];
}

function findItems(name: string): SchemaMatch[] {
  if (name === 'TopLevel') return [{ kind: 'profile', item: schema.profileKeys() }];
  if (name === 'CommonPayloadKeys') return [{ kind: 'profile', item: schema.commonPayloadKeys() }];
  for (const prefix of shortcuts) {
    const found = schema.find(prefix + name);
    if (found.length > 0) return found.flatMap((m) => itemsOf(m).map((item) => ({ kind: m.kind, item })));
  }
  const wanted = name.toLowerCase();
  return schemaKinds.flatMap((kind) =>
    schema
      .names(kind)
      .filter((known) => known.toLowerCase() === wanted)
      .flatMap((known) => schema.find(known).filter((match) => match.kind === kind)),
  );
}

function holdsKey(keys: readonly SchemaKey[] | undefined, name: string): boolean {
  return keys?.some((key) => key.key === name || holdsKey(key.subkeys, name)) ?? false;
}

/** Where a key of this name is. */
function findKey(name: string): SchemaMatch[] {
  return schemaKinds.flatMap((kind) =>
    schema
      .all(kind)
      .filter((item) => holdsKey(item.keys, name) || holdsKey(item.replies, name))
      .map((item) => ({ kind, item })),
  );
}

/** Names like the given one, which may lack what may be left out. */
function suggestions(name: string): string[] {
  const names = schemaKinds.flatMap((kind) => schema.names(kind));
  const written = new Map<string, string>();
  for (const full of names) {
    for (const prefix of shortcuts) {
      if (full.startsWith(prefix) && !written.has(full.slice(prefix.length))) {
        written.set(full.slice(prefix.length), full);
      }
    }
  }
  return [...new Set(nearest(name, [...written.keys()], 5).map((short) => written.get(short) as string))];
}

function toJson(match: SchemaMatch, target: Target | undefined): Record<string, unknown> {
  const { item } = match;
  if (target === undefined) return { ...item };
  const missing = [...keyRows(item.keys, item.supportedOS, target).missing];
  const replies = keyRows(item.replies ?? [], item.supportedOS, target).missing;
  return {
    ...item,
    target,
    objections: objectionsTo(item.supportedOS, target),
    unavailable: missing,
    unavailableReplies: replies,
  };
}

function explainOne(name: string, target: Target | undefined, io: Io): boolean {
  const found = findItems(name);
  const isProfileKeys = (item: SchemaItem): boolean => item.id === 'TopLevel' || item.id === 'CommonPayloadKeys';
  if (found.length > 0) {
    const texts = found.map(({ kind, item }) => {
      const common = kind === 'profile' && !isProfileKeys(item) ? schema.commonPayloadKeys() : undefined;
      return itemText(kind, item, target, io.columns, common);
    });
    io.out(texts.join(`\n\n${'-'.repeat(io.columns)}\n\n`));
    return true;
  }
  const holders = findKey(name);
  if (holders.length > 0) {
    io.out(`${name} is a key of`);
    for (const { kind, item } of holders) io.out(paragraph(`${item.id} (${kindNames[kind]})`, io.columns, 2));
    return true;
  }
  const close = suggestions(name);
  io.err(`espalier explain: the schema has nothing named '${name}'`);
  if (close.length > 0) io.err(`Did you mean\n${close.map((one) => `  ${one}`).join('\n')}`);
  return false;
}

function explainJson(names: readonly string[], target: Target | undefined, io: Io): boolean {
  const results = names.map((name) => {
    const found = findItems(name);
    const matches = found.map((match) => toJson(match, target));
    if (found.length > 0) return { name, matches };
    const keyOf = findKey(name).map(({ kind, item }) => ({ kind, id: item.id, file: item.file }));
    return keyOf.length > 0 ? { name, matches, keyOf } : { name, matches, suggestions: suggestions(name) };
  });
  io.out(JSON.stringify(results, null, 2));
  return results.every((result) => result.matches.length > 0 || 'keyOf' in result);
}

/** The command. */
export const explain: CliCommand = {
  help,
  async run(args, io) {
    const { values, positionals } = readArgs(args, { target: { type: 'string' }, json: { type: 'boolean' } });
    if (positionals.length === 0) throw new CliError('cli.usage', 'no name given');
    const target = targetOption(values.target);
    if (values.json) return explainJson(positionals, target, io) ? 0 : 1;
    let all = true;
    positionals.forEach((name, index) => {
      if (index > 0) io.out(`\n${'-'.repeat(io.columns)}\n`);
      all = explainOne(name, target, io) && all;
    });
    return all ? 0 : 1;
  },
};
