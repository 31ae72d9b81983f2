// `validate`: the one entry, which picks the check for the kind of value.
import { schema } from '../schema/catalogue.ts';
import { checkDictionary, judgeItem, type Walk } from './check.ts';
import { compileItem } from './compile.ts';
import { checkDeclaration, checkStatusItem, checkStatusReport } from './declaration.ts';
import { type Issue, Issues } from './issue.ts';
import { checkCheckin, checkCommand, checkResponse } from './messages.ts';
import { nearest } from './nearest.ts';
import { checkPayload, checkProfile } from './profile.ts';
import { readTarget, type Target } from './target.ts';
import { entry, nameOfType, typeOfValue } from './values.ts';

/** The kinds of value that `validate` knows. */
export const validateKinds = [
  'command',
  'response',
  'checkin',
  'checkin-reply',
  'profile',
  'payload',
  'declaration',
  'credential',
  'status',
  'error',
  'other',
] as const;

/**
 * What a value is:
 *
 * - `command`: what a server sends (`{ Command, CommandUUID }`), or the dictionary under `Command`.
 * - `response`: a device's response; name the command (`{ name: 'DeviceInformation' }`) to check its keys.
 * - `checkin`: a check-in message; `checkin-reply`: the server's answer to the message named.
 * - `profile`: a configuration profile with its payloads; `payload`: one payload.
 * - `declaration`: a declaration (JSON); `credential`: the data of the credential asset named.
 * - `status`: a status report (JSON), or the value of the status item named.
 * - `error`: the body of a 403 response; `other`: `MachineInfo`, `ManifestURL`, `ESSO`, `passwordHash`, by name.
 */
export type ValidateKind = (typeof validateKinds)[number];

/** Options of `validate`. */
export interface ValidateOptions {
  /** What the value does not tell itself: the command of a response, the status item of a value, … */
  readonly name?: string;
  /** The most issues that are reported. Default 1000. */
  readonly limit?: number;
}

const json: ReadonlySet<ValidateKind> = new Set(['declaration', 'credential', 'status', 'error']);

function checkNamed(walk: Walk, kind: 'credential' | 'error' | 'other', value: object, name: string): void {
  const item = schema[kind](name);
  if (item === undefined) {
    const close = nearest(name, schema.names(kind), 2);
    const remedy = close.length > 0 ? `Did you mean ${close.join(' or ')}?` : 'Check how it is written.';
    walk.issues.add(null, 'schema.unknown', 'warning', `${name} is not in the schema`, remedy);
    return;
  }
  judgeItem(walk, name, item.supportedOS, null);
  checkDictionary(walk, [compileItem(item).fields], value, null, 0);
}

function checkReply(walk: Walk, value: object, name: string): void {
  const item = schema.checkin(name);
  if (item !== undefined) checkDictionary(walk, [compileItem(item).replies], value, null, 0);
}

type Check = (walk: Walk, value: object, name: string | undefined) => void;

const namedCheck =
  (kind: 'credential' | 'error' | 'other'): Check =>
  (walk, value, name) => {
    const code = kind === 'error' ? entry(value, 'code') : undefined;
    const given = name ?? (typeof code === 'string' ? code : undefined);
    if (given !== undefined) checkNamed(walk, kind, value, given);
  };

const checks: Readonly<Record<ValidateKind, Check>> = {
  command: checkCommand,
  response: checkResponse,
  checkin: checkCheckin,
  'checkin-reply': (walk, value, name) => {
    if (name !== undefined) checkReply(walk, value, name);
  },
  profile: checkProfile,
  payload: (walk, value) => checkPayload(walk, value, null),
  declaration: checkDeclaration,
  credential: namedCheck('credential'),
  status: checkStatusReport,
  error: namedCheck('error'),
  other: namedCheck('other'),
};

/**
 * Checks a value against Apple's schema and, when a target is given, against what that device supports. Never throws for
 * any value; facts of the target that are not given are not judged. An empty list means that nothing was found.
 *
 * @example
 * validate('command', { RequestType: 'DeviceLock', Pin: '123456' }, { platform: 'macOS', osVersion: '15.0' });
 * // [{ path: '/Pin', code: 'key.unknown', severity: 'warning', message: …, remedy: 'Did you mean PIN?' }]
 */
export function validate(
  kind: ValidateKind,
  value: unknown,
  target?: Target | null,
  options: ValidateOptions = {},
): Issue[] {
  const issues = new Issues(options.limit ?? 1000);
  const walk: Walk = {
    issues,
    target: readTarget(target),
    notation: json.has(kind) ? 'json' : 'plist',
    // Devices pass over a profile's keys that they do not know; elsewhere such a key fails the message.
    keySeverity: kind === 'profile' || kind === 'payload' ? 'warning' : 'error',
  };
  if (kind === 'status' && options.name !== undefined) {
    if (!checkStatusItem(walk, options.name, value, null)) {
      const close = nearest(options.name, schema.names('status'), 2);
      const remedy = close.length > 0 ? `Did you mean ${close.join(' or ')}?` : 'Check how it is written.';
      issues.add(null, 'schema.unknown', 'warning', `${options.name} is not in the schema`, remedy);
    }
    return issues.list;
  }
  const type = typeOfValue(value);
  if (type === 'dictionary') checks[kind](walk, value as object, options.name);
  else issues.add(null, 'type.wrong', 'error', `is ${nameOfType(type)}, not a dictionary`, 'Give a dictionary.');
  return issues.list;
}
