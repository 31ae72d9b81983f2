// Templates of subjects and alternative names: variables that are replaced for each device or user.
import { randomBytes } from 'node:crypto';
import type { RandomSource } from '../clock.ts';
import { PkiError } from '../errors.ts';
import { microsoftSidUri } from './extensions.ts';
import { type AlternativeName, encodeGeneralNames } from './general-name.ts';
import { type DistinguishedName, encodeName, formatName, parseNameParts } from './name.ts';

/** Every variable by its name, as it stands between dollar signs. */
export const certificateVariables = [
  ...(['EMAIL', 'USERID', 'FIRST_NAME', 'LAST_NAME', 'DISPLAY_NAME', 'USER_DN', 'USER_SID', 'USER_UPN'] as const),
  ...(['USER_LOCALE', 'DEVICE_UUID', 'DEVICE_UUID_NO_DASHES', 'DEVICE_UDID', 'DEVICE_IMSI', 'DEVICE_IMEI'] as const),
  ...(['DEVICE_SN', 'DEVICE_ID', 'DEVICE_MAC', 'DEVICE_CLIENT_ID'] as const),
  ...(['USER_CUSTOM1', 'USER_CUSTOM2', 'USER_CUSTOM3', 'USER_CUSTOM4', 'REALM', 'TIMESTAMP_MS'] as const),
  ...(['RANDOM_16', 'RANDOM_32', 'RANDOM_64', 'CONFIG_UUID'] as const),
] as const;

/** The only variables in the subject of an identity that devices show at the door: it must not tell who they are. */
export const identityVariables = ['RANDOM_16', 'RANDOM_32', 'RANDOM_64', 'CONFIG_UUID', 'TIMESTAMP_MS'] as const;

/** Variables of subjects: all but `CONFIG_UUID`, which belongs into alternative names. */
const subjectVariables: readonly string[] = certificateVariables.filter((name) => name !== 'CONFIG_UUID');

/** Values of variables; null, absent and empty mean that there is none. */
export type VariableValues = Readonly<Record<string, string | null | undefined>>;

/** What templates are resolved with. */
export interface ResolveOptions {
  readonly values: VariableValues;
  /** Epoch milliseconds, for `$TIMESTAMP_MS$`. */
  readonly now: number;
  /** For `$RANDOM_16$` and its like: so many hexadecimal characters. */
  readonly random?: RandomSource;
  /** Names accepted besides {@link certificateVariables}: custom attributes. */
  readonly custom?: readonly string[];
}

/** What a template may hold. */
export interface TemplateRules {
  /** Default: all but `CONFIG_UUID` in subjects, all in alternative names. */
  readonly variables?: readonly string[];
  readonly custom?: readonly string[];
  /** Order of the parts. Default `leaf-first`. */
  readonly order?: 'leaf-first' | 'root-first';
}

const variable = /\$([A-Za-z][A-Za-z0-9_]{0,63})\$/g;
const maxTemplate = 4096;

/** Names of the variables in a text. */
export const variablesIn = (text: string): string[] => [...text.matchAll(variable)].map((match) => match[1]!);

function checkVariables(text: string, allowed: readonly string[], custom: readonly string[], path: string): void {
  if (text.length > maxTemplate) throw new PkiError('pki.name.invalid', 'the template is too long', { at: { path } });
  for (const name of variablesIn(text)) {
    if (allowed.includes(name) || custom.includes(name)) continue;
    const known = (certificateVariables as readonly string[]).includes(name);
    const code = known ? 'pki.variable.not_allowed' : 'pki.variable.unknown';
    throw new PkiError(code, known ? `$${name}$ is not possible here` : `there is no variable $${name}$`, {
      at: { path, offset: text.indexOf(`$${name}$`) },
      remedy: `Possible here: ${[...allowed, ...custom].join(', ')}`.slice(0, 600),
    });
  }
}

/**
 * Checks a subject template when it is saved: its grammar and its variables. Lengths are checked when it is resolved.
 *
 * @throws PkiError `pki.name.invalid`, `pki.variable.unknown`, `pki.variable.not_allowed`.
 */
export function checkSubjectTemplate(text: string, rules: TemplateRules = {}): void {
  checkVariables(text, rules.variables ?? subjectVariables, rules.custom ?? [], 'subject');
  if (text.trim() === '$USER_DN$') return;
  if (variablesIn(text).includes('USER_DN')) {
    throw new PkiError('pki.variable.not_allowed', '$USER_DN$ is a whole name: it stands alone', {
      at: { path: 'subject' },
    });
  }
  // What holds no variable can be checked whole; the rest once it is resolved.
  const name = parseNameParts(text, rules.order);
  encodeName(name.map((rdn) => rdn.filter(({ value }) => !value.includes('$'))).filter((rdn) => rdn.length > 0));
}

/** The value of a variable; null when there is none. */
function variableValue(name: string, { values, now, random = randomBytes }: ResolveOptions): string | null {
  const given = Object.hasOwn(values, name) ? values[name] : undefined;
  if (given !== undefined && given !== null && given !== '') return given;
  if (name === 'TIMESTAMP_MS') return String(now);
  const size = /^RANDOM_(16|32|64)$/.exec(name)?.[1];
  return size === undefined ? null : Buffer.from(random(Number(size) / 2)).toString('hex');
}

function substitute(text: string, options: ResolveOptions, path: string): string {
  return text.replace(variable, (_, name: string) => {
    const value = variableValue(name, options);
    if (value !== null) return value;
    throw new PkiError('pki.variable.unresolved', `$${name}$ has no value for this device or user`, { at: { path } });
  });
}

/**
 * Makes the subject of a certificate from a template. Values are put in after the template was taken apart, so that
 * no value can add parts to the name; lengths are checked afterwards. `$USER_DN$` stands alone, for a directory's own name
 * (leaf first).
 *
 * @returns the name in encoding order, root first.
 * @throws PkiError `pki.variable.unresolved`, `pki.variable.unknown`, `pki.variable.not_allowed`, `pki.name.invalid`.
 * @example
 * resolveSubject('CN=$EMAIL$,O=Example', { values: { EMAIL: 'jo@example.com' }, now: Date.now() });
 */
export function resolveSubject(text: string, options: ResolveOptions & TemplateRules): DistinguishedName {
  checkSubjectTemplate(text, options);
  let name: DistinguishedName;
  if (text.trim() === '$USER_DN$') name = parseNameParts(substitute(text.trim(), options, 'subject'), 'leaf-first');
  else {
    name = parseNameParts(text, options.order).map((rdn) =>
      rdn.map(({ type, value }) => {
        const resolved = substitute(value, options, 'subject');
        // A value that begins with # would be read as the DER of something else.
        return { type, value: resolved.startsWith('#') && resolved !== value ? `\\${resolved}` : resolved };
      }),
    );
  }
  encodeName(name);
  return name;
}

/** One alternative name of a template. `none` is a row that was left empty. */
export interface SanTemplate {
  readonly type: 'upn' | 'email' | 'uri' | 'dns' | 'dn' | 'none';
  readonly value: string;
}

/**
 * Checks the rows of alternative names when they are saved.
 *
 * @param rules `maxRows`: SCEP payloads hold four.
 * @throws PkiError `pki.san.invalid`, `pki.variable.*`, with the row in `at.path`.
 */
export function checkSanTemplates(
  rows: readonly SanTemplate[],
  rules: Omit<TemplateRules, 'order'> & { readonly maxRows?: number } = {},
): void {
  if (rows.length > (rules.maxRows ?? 100)) {
    throw new PkiError('pki.san.invalid', `more than ${rules.maxRows ?? 100} alternative names`);
  }
  for (const [index, { type, value }] of rows.entries()) {
    if (type === 'none') continue;
    const path = `sans/${index}`;
    if (!['upn', 'email', 'uri', 'dns', 'dn'].includes(type) || value.trim() === '') {
      throw new PkiError('pki.san.invalid', 'an alternative name has a type and a value', { at: { path } });
    }
    checkVariables(value, rules.variables ?? certificateVariables, rules.custom ?? [], path);
    if (variablesIn(value).length === 0) encodeGeneralNames([{ type, value }]);
  }
}

/**
 * Makes the alternative names of a certificate from rows. A row with `$USER_SID$` is left out where the user has none, so
 * that accounts without one still get a certificate; any other missing value is an error.
 *
 * @throws PkiError `pki.variable.unresolved`, `pki.san.invalid`, `pki.name.invalid`.
 */
export function resolveSans(rows: readonly SanTemplate[], options: ResolveOptions): AlternativeName[] {
  checkSanTemplates(rows, options.custom ? { custom: options.custom } : {});
  const names: AlternativeName[] = [];
  for (const [index, { type, value }] of rows.entries()) {
    if (type === 'none') continue;
    if (variablesIn(value).includes('USER_SID') && variableValue('USER_SID', options) === null) continue;
    const name: AlternativeName =
      type === 'dn'
        ? { type, value: formatName(resolveSubject(value, { ...options, variables: certificateVariables })) }
        : { type, value: substitute(value, options, `sans/${index}`) };
    encodeGeneralNames([name]);
    names.push(name);
  }
  return names;
}

/** The row that carries a user's security identifier where no extension can be asked for (SCEP and ACME payloads). */
export const sidSanTemplate: SanTemplate = { type: 'uri', value: microsoftSidUri('$USER_SID$') };

/** Replaces every variable that an identity's subject must not hold by `$RANDOM_32$`. */
export function maskIdentityVariables(text: string): string {
  return text.replace(variable, (whole, name: string) =>
    (identityVariables as readonly string[]).includes(name) ? whole : '$RANDOM_32$',
  );
}
