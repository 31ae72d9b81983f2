// Payloads with Apple's own keys that use identities and certificates of the same profile, by their names.
import {
  type Issue,
  type PayloadContent,
  type ProfilePayload,
  payload,
  type Target,
  validate,
} from '@espalier/apple-mdm';
import type { DroppedSetting } from './compile.ts';
import { reference } from './credentials/references.ts';
import { common, speaksAgainst } from './payload.ts';

/** Reports what is wrong with a setting. */
export type Wrong = (path: string, message: string, remedy: string, code?: Issue['code']) => void;

const REFERENCE = /^\$(IDENTITY|CERTIFICATE):([\w-]{1,50})\$$/;
/** The most payloads, identities or certificates of a configuration. */
export const MOST = 20;
const ANY_UUID = '00000000-0000-4000-8000-000000000001';
const own = new Set(['PayloadVersion', 'PayloadIdentifier', 'PayloadUUID']);

/** What payloads may name. */
export interface Names {
  readonly identities: ReadonlySet<string>;
  readonly certificates: ReadonlySet<string>;
}

/** What a certificate is called within the profile; identities have their own names. */
export const certificateName = (name: string): string => `certificate ${name}`;

/** The name that a text refers to, and whether it is an identity's. */
function referred(text: string): { readonly kind: keyof Names; readonly name: string } | null {
  const [, kind, name] = REFERENCE.exec(text) ?? [];
  return name === undefined ? null : { kind: kind === 'IDENTITY' ? 'identities' : 'certificates', name };
}

const filled = (given: unknown): Record<string, unknown> =>
  mapTexts(given, (text) => (referred(text) === null ? text : ANY_UUID)) as Record<string, unknown>;

/** Checks `payloads` of a configuration's settings. */
export function checkConsumers(value: unknown, names: Names, issues: Issue[], wrong: Wrong): void {
  if (!Array.isArray(value) || value.length > MOST) {
    wrong('/payloads', `payloads are a list of at most ${MOST}`, 'Give a list of dictionaries with Apple’s keys.');
    return;
  }
  for (const [index, given] of value.entries()) {
    const path = `/payloads/${index}`;
    if (!isRecord(given) || typeof given['PayloadType'] !== 'string') {
      wrong(path, 'a payload is a dictionary with a PayloadType', 'Write it with Apple’s own keys.');
      continue;
    }
    for (const key of Object.keys(given).filter((name) => own.has(name))) {
      wrong(`${path}/${key}`, `${key} is written by the compiler`, 'Leave it out.', 'key.unknown');
    }
    mapTexts(given, (text) => {
      const found = referred(text);
      if (found === null || names[found.kind].has(found.name)) return text;
      const what = found.kind === 'identities' ? 'identity' : 'certificate';
      const known = [...names[found.kind]].join(', ') || 'none';
      wrong(path, `there is no ${what} called ${found.name}`, `Use one of: ${known}.`);
      return text;
    });
    for (const issue of validate('payload', { ...filled(given), ...common })) {
      const severity = issue.code === 'key.unknown' || issue.code === 'schema.unknown' ? 'error' : issue.severity;
      issues.push({ ...issue, severity, path: path + (issue.path === '/' ? '' : issue.path) });
    }
  }
}

/** The payloads for a target, with references in the place of names; what the target does not take is left out. */
export function consumersFor(
  payloads: readonly Readonly<Record<string, unknown>>[],
  target: Target,
  dropped: DroppedSetting[],
): ProfilePayload[] {
  return payloads.flatMap((given, index): ProfilePayload[] => {
    const { PayloadType: type, PayloadDisplayName: displayName, ...rest } = given;
    const content: Record<string, unknown> = { ...rest };
    for (const issue of validate('payload', { ...filled(given), ...common }, target)) {
      if (!speaksAgainst(issue.code)) continue;
      const key = issue.path.split('/', 2)[1]?.replaceAll('~1', '/').replaceAll('~0', '~');
      const whole = !key || key === 'PayloadType';
      dropped.push({ key: `payloads/${index}${whole ? '' : `/${key}`}`, reason: issue.message });
      if (whole) return [];
      delete content[key];
    }
    const linked = mapTexts(content, (text) => {
      const found = referred(text);
      if (found === null) return text;
      return reference(found.kind === 'identities' ? found.name : certificateName(found.name));
    }) as PayloadContent;
    const shown = typeof displayName === 'string' ? { displayName } : {};
    return [payload(type as Parameters<typeof payload>[0], linked as never, shown)];
  });
}

/** Whether a value is a dictionary. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy with every text replaced. */
function mapTexts(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return replace(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, replace));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, replace)]));
}
