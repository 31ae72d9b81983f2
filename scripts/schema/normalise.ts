// One parsed YAML document -> `Item`: checks every attribute against the known format, drops all prose.
import {
  type KeyType,
  keyTypes,
  type PlatformSupport,
  platforms,
  type Scalar,
  type SchemaKind,
  type Support,
} from '../../packages/apple-mdm/src/schema/model.ts';
import type { Item, Key } from './model.ts';

type Raw = Record<string, unknown>;

const keyAttributes = new Set(
  (
    'key title supportedOS type subtype valuetype assettypes asset-content-types presence rangelist range default ' +
    'format repetition combinetype content subkeytype subkeys'
  ).split(' '),
);
const supportAttributes = new Set(
  (
    'introduced deprecated removed accessrights multiple devicechannel userchannel supervised requiresdep ' +
    'userapprovedmdm allowmanualinstall sharedipad userenrollment always-skippable allowed-enrollments allowed-scopes beta'
  ).split(' '),
);

/** The kind of a file by its path inside a level, or null for a file that holds no schema. */
export function kindOf(file: string): SchemaKind | null {
  if (file.startsWith('docs/')) return null;
  if (file.startsWith('mdm/commands/')) return 'command';
  if (file.startsWith('mdm/checkin/')) return 'checkin';
  if (file.startsWith('mdm/profiles/')) return 'profile';
  if (file.startsWith('mdm/errors/')) return 'error';
  if (file.startsWith('declarative/declarations/assets/credentials/')) return 'credential';
  if (file.startsWith('declarative/declarations/')) return 'declaration';
  if (file.startsWith('declarative/protocol/')) return 'protocol';
  if (file.startsWith('declarative/status/')) return 'status';
  if (file.startsWith('other/')) return 'other';
  throw new Error(`${file}: no kind is known for this folder`);
}

const version = /^(n\/a|all|\d+(\.\d+)*)$/;

function record(value: unknown, where: string): Raw {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${where}: not a mapping`);
  return value as Raw;
}

function keyType(value: unknown, where: string): KeyType {
  const name = String(value).replace(/^<(.*)>$/, '$1') as KeyType;
  if (!keyTypes.includes(name)) throw new Error(`${where}: unknown type ${String(value)}`);
  return name;
}

/** Copies a `supportedOS` mapping in a fixed order of platforms and attributes. */
export function normaliseSupport(value: unknown, where: string): Support | undefined {
  if (value === undefined) return undefined;
  const raw = record(value, where);
  const support: { -readonly [P in keyof Support]: Support[P] } = {};
  for (const name of Object.keys(raw)) {
    if (!(platforms as readonly string[]).includes(name)) throw new Error(`${where}: unknown platform ${name}`);
  }
  for (const platform of platforms) {
    if (raw[platform] === undefined || raw[platform] === null) continue;
    const source = record(raw[platform], `${where}/${platform}`);
    for (const attribute of Object.keys(source)) {
      if (!supportAttributes.has(attribute)) throw new Error(`${where}/${platform}: unknown attribute ${attribute}`);
    }
    const facts: Raw = {};
    for (const attribute of supportAttributes) {
      const fact = source[attribute];
      if (fact === undefined) continue;
      // `behavior` is prose; everything else in these two mappings is a fact.
      if (attribute === 'sharedipad' || attribute === 'userenrollment') {
        const { behavior: _, ...rest } = record(fact, where);
        facts[attribute] = rest;
      } else if (attribute === 'introduced' || attribute === 'deprecated' || attribute === 'removed') {
        const text = String(fact);
        if (!version.test(text)) throw new Error(`${where}/${platform}: ${attribute} ${text} is no version`);
        facts[attribute] = text;
      } else facts[attribute] = fact;
    }
    if (Object.keys(facts).length > 0) support[platform] = facts as PlatformSupport;
  }
  return Object.keys(support).length > 0 ? support : undefined;
}

export function normaliseKeys(value: unknown, where: string): Key[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`${where}: not a list of keys`);
  return value.map((entry, index) => normaliseKey(record(entry, `${where}[${index}]`), where));
}

function normaliseKey(raw: Raw, parent: string): Key {
  const name = String(raw['key']);
  const where = `${parent}/${name}`;
  for (const attribute of Object.keys(raw)) {
    if (!keyAttributes.has(attribute)) throw new Error(`${where}: unknown attribute ${attribute}`);
  }
  const key: Key = { key: name, type: keyType(raw['type'], where) };
  const presence = raw['presence'];
  if (presence === 'required' || presence === 'optional') key.presence = presence;
  else if (presence !== undefined) throw new Error(`${where}: unknown presence ${String(presence)}`);
  const support = normaliseSupport(raw['supportedOS'], where);
  if (support !== undefined) key.supportedOS = support;
  if (raw['rangelist'] !== undefined) key.rangelist = raw['rangelist'] as Scalar[];
  if (raw['range'] !== undefined) key.range = raw['range'] as { min?: number; max?: number };
  if (raw['default'] !== undefined && raw['default'] !== null) key.default = raw['default'] as Scalar;
  if (raw['format'] !== undefined) key.format = String(raw['format']);
  if (raw['repetition'] !== undefined) key.repetition = raw['repetition'] as { min: number; max: number };
  if (raw['combinetype'] !== undefined) key.combinetype = String(raw['combinetype']);
  const valuetype = raw['valuetype'] ?? raw['subtype'];
  if (valuetype !== undefined) key.valuetype = String(valuetype).replace(/^<(.*)>$/, '$1');
  if (raw['subkeytype'] !== undefined) key.subkeytype = String(raw['subkeytype']);
  if (raw['assettypes'] !== undefined) key.assettypes = raw['assettypes'] as string[];
  if (raw['asset-content-types'] !== undefined) key.contenttypes = raw['asset-content-types'] as string[];
  if (raw['subkeys'] !== undefined) key.subkeys = normaliseKeys(raw['subkeys'], where);
  return key;
}

function reasonsOf(value: unknown, where: string): NonNullable<Item['reasons']> {
  return (value as Raw[]).map((reason) => {
    const details = (reason['details'] as Raw[] | undefined)?.map((detail) => ({
      key: String(detail['key']),
      type: keyType(detail['type'], where),
    }));
    return details === undefined ? { value: String(reason['value']) } : { value: String(reason['value']), details };
  });
}

/** Makes an item of one parsed file. `file` is the path inside the level. */
export function normaliseItem(document: unknown, file: string, level: string): Item {
  const kind = kindOf(file);
  if (kind === null) throw new Error(`${file}: holds no schema`);
  const raw = record(document, file);
  const payload = record(raw['payload'], file);
  const keys = normaliseKeys(raw['payloadkeys'], file);
  const named =
    payload['requesttype'] ??
    payload['payloadtype'] ??
    payload['declarationtype'] ??
    payload['statusitemtype'] ??
    payload['credentialtype'] ??
    // An error has no type of its own: the one value of its `code` is its name.
    keys.find((key) => key.key === 'code')?.rangelist?.[0];
  if (named === undefined) throw new Error(`${file}: no type`);
  const item: Item = { kind, id: String(named), file, level, title: String(raw['title'] ?? ''), keys };
  const variant = /\(([^()]*)\)\.yaml$/.exec(file)?.[1];
  if (variant !== undefined) item.variant = variant;
  const support = normaliseSupport(payload['supportedOS'], file);
  if (support !== undefined) item.supportedOS = support;
  if (payload['apply'] !== undefined) item.apply = String(payload['apply']);
  if (payload['beta'] === true) item.beta = true;
  if (raw['responsekeys'] !== undefined) item.replies = normaliseKeys(raw['responsekeys'], `${file}:response`);
  if (raw['reasons'] !== undefined) item.reasons = reasonsOf(raw['reasons'], file);
  if (raw['related-status-items'] !== undefined) {
    const related = (raw['related-status-items'] as { 'status-items': string[] }[]).flatMap((r) => r['status-items']);
    item.related = [...new Set(related)];
  }
  return item;
}
