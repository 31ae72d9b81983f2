// Names as Apple's certificate payloads take them.
import { type AlternativeName, type DistinguishedName, type NameInput, parseName } from '@espalier/pki';
import { invalid, reading } from './check.ts';

/** A name as Apple's payloads write it: an array of parts, root first, each an array of pairs of type and value. */
export type AppleSubject = string[][][];

/** The types that Apple has short names for; all others are dotted OIDs. */
const shortcuts = new Map([
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.3', 'CN'],
]);

/**
 * Writes a name for the `Subject` of a SCEP or ACME payload: C, L, ST, O, OU and CN by their short names, everything else
 * (DC, e-mail, …) by its OID.
 *
 * @param subject text leaf first (`CN=…,O=…`), or a name as `@espalier/pki` gives it (root first).
 * @throws PolicyError `policy.credential.invalid`.
 * @example
 * appleSubject('CN=y,O=X,C=US'); // [[['C', 'US']], [['O', 'X']], [['CN', 'y']]]
 */
export function appleSubject(subject: Exclude<NameInput, Uint8Array>): AppleSubject {
  const name: DistinguishedName = typeof subject === 'string' ? reading('subject', () => parseName(subject)) : subject;
  return name.map((rdn) =>
    rdn.map(({ type, value }) => {
      if (value.startsWith('#'))
        throw invalid('subject', 'a device cannot ask for a part that is no text', 'Leave it out.');
      return [shortcuts.get(type) ?? type, value.startsWith('\\#') ? value.slice(1) : value];
    }),
  );
}

/** Alternative names as Apple's payloads take them: at most one of each type. */
export interface AppleSubjectAltName {
  rfc822Name?: string;
  dNSName?: string;
  uniformResourceIdentifier?: string;
  ntPrincipalName?: string;
}

const altNameKeys = {
  email: 'rfc822Name',
  dns: 'dNSName',
  uri: 'uniformResourceIdentifier',
  upn: 'ntPrincipalName',
} as const;

/**
 * Writes alternative names for the `SubjectAltName` of a SCEP or ACME payload.
 *
 * @returns undefined for none.
 * @throws PolicyError `policy.credential.invalid` for a type that payloads do not have (directory names, addresses), or two
 * of one type.
 */
export function appleSubjectAltName(names: readonly AlternativeName[]): AppleSubjectAltName | undefined {
  const result: AppleSubjectAltName = {};
  for (const [index, name] of names.entries()) {
    const path = `sans/${index}`;
    const key = Object.hasOwn(altNameKeys, name.type) ? altNameKeys[name.type as keyof typeof altNameKeys] : undefined;
    if (key === undefined) {
      const remedy = 'Let the server make key and certificate (PKCS#12), or use e-mail, DNS, URI or principal names.';
      throw invalid(path, `a device cannot ask for an alternative name of type ${name.type}`, remedy);
    }
    if (result[key] !== undefined) {
      throw invalid(path, `a device asks for one ${key} at most`, 'Leave one of them out.');
    }
    result[key] = name.value as string;
  }
  return Object.keys(result).length > 0 ? result : undefined;
}
