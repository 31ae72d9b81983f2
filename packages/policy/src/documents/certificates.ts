// Certificate files in settings, by name, so that payloads of the same profile can use them (CERT-17).
import type { ProfilePayload } from '@espalier/apple-mdm';
import { certificateName } from '../consumers.ts';
import { certificatePayloads } from '../credentials/certificates.ts';
import { type NamedPayload, named } from '../credentials/references.ts';
import { type Settings, settingsReader, wrongSetting } from './read.ts';

/** Base64 of DER or PKCS#7, or PEM. @throws PolicyError `policy.settings.invalid` */
export function fileOf(text: string, path: string): Uint8Array {
  if (text.includes('-----BEGIN')) return Buffer.from(text);
  if (!/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(text)) {
    throw wrongSetting(path, 'not a certificate file: PEM, or base64 of DER');
  }
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** Certificates of a configuration: their names, and the payloads. */
export interface NamedCertificates {
  readonly names: ReadonlySet<string>;
  readonly payloads: readonly NamedPayload[];
}

/**
 * Reads `certificates: [{ name, file }]`: each certificate of a file has a payload of its own, and the name stands for the first, a
 * root if there is one.
 * @throws PolicyError with the place in `at.path`
 */
export function namedCertificates(given: readonly Settings[] = []): NamedCertificates {
  const names = new Set<string>();
  const payloads = given.flatMap((entry, index): NamedPayload[] => {
    const read = settingsReader(entry, ['name', 'file'], `certificates/${index}/`);
    const [name = '', file = ''] = [read.text('name'), read.text('file')];
    const path = `certificates/${index}`;
    if (!/^[\w-]{1,50}$/.test(name) || names.has(name)) {
      throw wrongSetting(`${path}/name`, 'a certificate has a name of its own: 1 to 50 letters, digits, - and _');
    }
    names.add(name);
    const [first, ...others] = certificatePayloads(fileOf(file, `${path}/file`)) as [ProfilePayload];
    return [named(certificateName(name), first), ...others];
  });
  return { names, payloads };
}
