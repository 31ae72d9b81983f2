// References from one payload to another within a profile: by name while it is made, by UUID once it is.
import {
  type BuiltProfile,
  buildProfile,
  type PayloadContent,
  type ProfileInput,
  type ProfilePayload,
  payloadIdentifier,
  payloadUuid,
} from '@espalier/apple-mdm';
import { PolicyError } from '../errors.ts';

/** A payload that others of its profile may refer to. */
export interface NamedPayload extends ProfilePayload {
  /** What `reference` calls it. Unique within the profile. */
  readonly reference?: string;
}

// U+0000 is in no property list: no value that somebody typed is taken for a reference.
const mark = '\u0000reference:';

/**
 * Stands for the UUID of another payload of the same profile, wherever a payload names one (`PayloadCertificateUUID`,
 * `IdentityCertificateUUID`, …). {@link buildLinkedProfile} puts the UUID in its place.
 *
 * @param name the `reference` of the payload that is meant.
 */
export const reference = (name: string): string => `${mark}${name}`;

/** A payload with the name that {@link reference} calls it by. */
export const named = (name: string, payload: ProfilePayload): NamedPayload => ({ ...payload, reference: name });

const identities = [
  'com.apple.security.pkcs12',
  'com.apple.security.scep',
  'com.apple.security.acme',
  'com.apple.ADCertificate.managed',
] as const;
const certificates = ['com.apple.security.root', 'com.apple.security.pkcs1', 'com.apple.security.pem'] as const;

/** Keys whose value is a UUID of another payload, and what that has to be; `certificatepreference` is an exception. */
const expectations = new Map<string, readonly string[]>([
  ['PayloadCertificateUUID', identities],
  ['IdentityCertificateUUID', identities],
  ['SMIMESigningCertificateUUID', identities],
  ['SMIMEEncryptionCertificateUUID', identities],
  ['PayloadCertificateAnchorUUID', certificates],
  ['ServerURLPinningCertificateUUIDs', certificates],
  ['CheckInURLPinningCertificateUUIDs', certificates],
  ['EncryptCertPayloadUUID', ['com.apple.security.pkcs1']],
]);

interface Node {
  readonly payload: NamedPayload;
  readonly index: number;
  readonly identifier: string;
  state: 'new' | 'open' | 'done';
  content: PayloadContent;
  uuid: string;
}

/**
 * Builds a profile whose payloads refer to each other. UUIDs come from the content, references included, so that the same
 * input gives the same bytes; a payload that is referred to is finished before those that refer to it, in whatever order
 * they are given.
 *
 * @throws PolicyError `policy.reference.missing` (no payload has the name, or the UUID), `policy.reference.duplicate` (two
 * have it), `policy.reference.cycle`, `policy.reference.wrong_type` (an identity is needed and a root is meant, or the like);
 * and as `buildProfile`.
 * @example
 * buildLinkedProfile({
 *   identifier: 'com.example.wifi', displayName: 'Wi-Fi',
 *   payloads: [
 *     named('identity', scepPayload({ url, subject: 'CN=device', challenge })),
 *     ...certificatePayloads(radiusRoot).map((root) => named('radius', root)),
 *     payload('com.apple.wifi.managed', {
 *       SSID_STR: 'Example', PayloadCertificateUUID: reference('identity'),
 *       EAPClientConfiguration: { AcceptEAPTypes: [13], PayloadCertificateAnchorUUID: [reference('radius')] },
 *     }),
 *   ],
 * });
 */
export function buildLinkedProfile(
  input: Omit<ProfileInput, 'payloads'> & { readonly payloads: readonly NamedPayload[] },
): BuiltProfile {
  return buildProfile({ ...input, payloads: linkPayloads(input.identifier, input.payloads) });
}

/** Replaces the references among payloads by UUIDs; see {@link buildLinkedProfile}. */
export function linkPayloads(profileIdentifier: string, payloads: readonly NamedPayload[]): ProfilePayload[] {
  const taken = new Set<string>();
  const nodes = payloads.map((payload, index): Node => {
    const identifier = payload.identifier ?? payloadIdentifier(profileIdentifier, payload.type, taken);
    taken.add(identifier);
    return { payload, index, identifier, state: 'new', content: payload.content, uuid: payload.uuid ?? '' };
  });
  const byName = new Map<string, Node>();
  for (const node of nodes) {
    const name = node.payload.reference;
    if (name === undefined) continue;
    const other = byName.get(name);
    if (other) {
      const message = `payloads ${other.index} and ${node.index} are both called '${name}'`;
      throw problem('duplicate', message, `/PayloadContent/${node.index}`, 'Give each payload a name of its own.');
    }
    byName.set(name, node);
  }
  const byUuid = new Map(nodes.flatMap((node) => (node.payload.uuid === undefined ? [] : [[node.payload.uuid, node]])));

  function finish(node: Node, path: readonly Node[]): void {
    if (node.state === 'done') return;
    if (node.state === 'open') {
      const names = [...path.slice(path.indexOf(node)), node].map((item) => item.payload.reference ?? item.identifier);
      const remedy = 'Let one of them do without the reference, or give it a UUID of its own.';
      throw problem('cycle', `payloads refer to each other: ${names.join(' → ')}`, pathOf(node), remedy);
    }
    node.state = 'open';
    node.content = replace(node.payload.content, [], node, [...path, node]) as PayloadContent;
    if (node.uuid === '') node.uuid = payloadUuid(node.payload.type, node.identifier, node.content);
    node.state = 'done';
  }

  function replace(value: unknown, keys: readonly string[], from: Node, path: readonly Node[]): unknown {
    if (typeof value === 'string') return replaceText(value, keys, from, path);
    if (Array.isArray(value)) return value.map((item, index) => replace(item, [...keys, String(index)], from, path));
    if (typeof value !== 'object' || value === null || !isPlain(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, replace(item, [...keys, key], from, path)]),
    );
  }

  function replaceText(text: string, keys: readonly string[], from: Node, path: readonly Node[]): string {
    const key = keys.findLast((item) => !/^\d+$/.test(item)) ?? '';
    const place = `${pathOf(from)}/${keys.join('/')}`;
    if (!text.startsWith(mark)) {
      if (!expectations.has(key)) return text;
      const target = byUuid.get(text);
      if (!target)
        throw missing(`there is no payload with the UUID ${text.slice(0, 60)} in the profile`, place, byName);
      checkType(target, key, from, place);
      return text;
    }
    const name = text.slice(mark.length);
    const target = byName.get(name);
    if (!target) throw missing(`there is no payload called '${name.slice(0, 60)}' in the profile`, place, byName);
    checkType(target, key, from, place);
    // One with a UUID of its own need not be finished first.
    if (target.payload.uuid === undefined) finish(target, path);
    return target.uuid;
  }

  for (const node of nodes) finish(node, []);
  return nodes.map(({ payload: { reference: _name, ...rest }, identifier, content, uuid }) => ({
    ...rest,
    identifier,
    content,
    uuid,
  }));
}

const pathOf = ({ index }: Node): string => `/PayloadContent/${index}`;

const problem = (
  what: 'missing' | 'duplicate' | 'cycle' | 'wrong_type',
  message: string,
  path: string,
  remedy: string,
): PolicyError => new PolicyError(`policy.reference.${what}`, message, path, remedy);

function missing(message: string, path: string, byName: ReadonlyMap<string, Node>): PolicyError {
  const names = [...byName.keys()].slice(0, 20).join(', ');
  const remedy = 'References stay within one profile: put the payload into it';
  return problem('missing', message, path, names === '' ? `${remedy}.` : `${remedy}, or use one of: ${names}.`);
}

function checkType(target: Node, key: string, from: Node, path: string): void {
  const expected =
    from.payload.type === 'com.apple.security.certificatepreference' && key === 'PayloadCertificateUUID'
      ? [...certificates, ...identities]
      : expectations.get(key);
  const { type } = target.payload;
  if (!expected || expected.includes(type)) return;
  throw problem(
    'wrong_type',
    `${key} cannot mean a payload of type ${type}`,
    path,
    `Refer to one of: ${expected.join(', ')}.`,
  );
}

/** Dictionaries, not data or dates. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
