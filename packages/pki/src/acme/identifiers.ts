// Identifiers of devices (RFC 4043, RFC 4108) in orders, requests and certificates.
import { openRoot } from '../der/reader.ts';
import { oid as objectIdentifier, octets, sequence, utf8 } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import type { CertificateRequest } from '../x509/csr.ts';
import type { AlternativeName } from '../x509/general-name.ts';
import { isObject, member } from './json.ts';
import { malformed, Refusal } from './problem.ts';
import type { AcmeChallengePolicy, AcmeIdentifier } from './types.ts';

const permanentIdentifierOid = '1.3.6.1.5.5.7.8.3';
const hardwareModuleOid = '1.3.6.1.5.5.7.8.4';

const dotted = /^[012](?:\.(?:0|[1-9]\d{0,14})){1,30}$/;

/** An identity and its optional assigner (or type of hardware), as the draft writes them: `value/1.2.3`. */
export function splitDeviceIdentifier(value: string): { readonly name: string; readonly oid: string | null } | null {
  const slash = value.indexOf('/');
  const name = slash < 0 ? value : value.slice(0, slash);
  const oid = slash < 0 ? null : value.slice(slash + 1);
  return name === '' || (oid !== null && !dotted.test(oid)) ? null : { name, oid };
}

export const isDeviceIdentifier = ({ type }: AcmeIdentifier): boolean =>
  type === 'permanent-identifier' || type === 'hardware-module';

/**
 * The alternative name that carries a device's identity (RFC 4043 PermanentIdentifier).
 *
 * @param assigner dotted OID of whoever assigned it; absent means the certificate's issuer.
 * @throws PkiError `pki.san.invalid`.
 */
export function permanentIdentifier(value: string, assigner?: string): AlternativeName {
  checkOid(assigner);
  const parts = assigner === undefined ? [] : [objectIdentifier(assigner)];
  return { type: 'other', oid: permanentIdentifierOid, value: sequence(utf8(value), ...parts) };
}

/**
 * The alternative name that carries a hardware module's identity (RFC 4108 HardwareModuleName).
 *
 * @param hardwareType dotted OID.
 * @throws PkiError `pki.san.invalid`.
 */
export function hardwareModule(serial: string, hardwareType: string): AlternativeName {
  checkOid(hardwareType);
  const value = sequence(objectIdentifier(hardwareType), octets(Buffer.from(serial, 'utf8')));
  return { type: 'other', oid: hardwareModuleOid, value };
}

function checkOid(oid: string | undefined): void {
  if (oid !== undefined && !dotted.test(oid)) throw new PkiError('pki.san.invalid', 'not an object identifier');
}

/** Reads the identifiers of a newOrder request: one device, or names that challenge policies validate. */
export function readIdentifiers(
  value: unknown,
  policies: readonly AcmeChallengePolicy[],
  deviceAttestation: boolean,
): AcmeIdentifier[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed('an order needs identifiers');
  if (value.length > 50) throw malformed('an order has at most 50 identifiers');
  const identifiers: AcmeIdentifier[] = [];
  for (const item of value as unknown[]) {
    const type = isObject(item) ? member(item, 'type') : undefined;
    const text = isObject(item) ? member(item, 'value') : undefined;
    if (typeof type !== 'string' || typeof text !== 'string' || text === '') {
      throw malformed('an identifier has a type and a value, both strings');
    }
    if (text.length > 512) throw new Refusal('rejectedIdentifier', 'the identifier is too long');
    const identifier = { type, value: type === 'dns' ? text.toLowerCase() : text };
    const known = isDeviceIdentifier(identifier)
      ? deviceAttestation
      : policies.some((policy) => policy.identifierTypes.includes(type));
    if (!known) throw new Refusal('unsupportedIdentifier', 'identifiers of this type are not served here');
    if (isDeviceIdentifier(identifier) && !splitDeviceIdentifier(text)) {
      throw malformed('after a slash, a device identifier has an object identifier');
    }
    if (type === 'dns' && !dnsName.test(identifier.value)) throw new Refusal('rejectedIdentifier', 'not a DNS name');
    if (!identifiers.some((other) => other.type === type && other.value === identifier.value)) {
      identifiers.push(identifier);
    }
  }
  if (identifiers.length > 1 && identifiers.some(isDeviceIdentifier)) {
    throw new Refusal('rejectedIdentifier', 'an order for a device has this one identifier');
  }
  return identifiers;
}

const dnsName =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const badCsr = (detail: string): Refusal => new Refusal('badCSR', detail);

/**
 * Compares the names in a CSR with the order's. A device may leave its identifier out (the draft's privacy mode), but it
 * may not name another one; DNS names must be exactly the order's.
 */
export function checkCsrNames(csr: CertificateRequest, identifiers: readonly AcmeIdentifier[]): void {
  const device = identifiers.find(isDeviceIdentifier);
  if (device) {
    const { name, oid } = splitDeviceIdentifier(device.value)!;
    for (const san of csr.sans) {
      if (san.type !== 'other') continue;
      if (san.oid === permanentIdentifierOid) {
        const expected = permanentIdentifier(name, oid ?? undefined);
        if (device.type !== 'permanent-identifier' || !sameValue(san, expected)) {
          throw badCsr('the permanent identifier in the CSR is not the one of the order');
        }
      } else if (san.oid === hardwareModuleOid) {
        // Without a type in the order, any fits.
        const fits = oid === null ? serialOf(san.value) === name : sameValue(san, hardwareModule(name, oid));
        if (device.type !== 'hardware-module' || !fits) {
          throw badCsr('the hardware module in the CSR is not the one of the order');
        }
      }
    }
    return;
  }
  const wanted = new Set(identifiers.filter(({ type }) => type === 'dns').map(({ value }) => value));
  const asked = new Set(csr.sans.flatMap((san) => (san.type === 'dns' ? [san.value.toLowerCase()] : [])));
  if (csr.subjectCn !== undefined && wanted.has(csr.subjectCn.toLowerCase())) asked.add(csr.subjectCn.toLowerCase());
  if (wanted.size !== asked.size || ![...wanted].every((name) => asked.has(name))) {
    throw badCsr('the DNS names in the CSR are not the ones of the order');
  }
}

const sameValue = (a: AlternativeName, b: AlternativeName): boolean =>
  a.type === 'other' && b.type === 'other' && Buffer.compare(a.value, b.value) === 0;

/** The serial number in a HardwareModuleName of a CSR. */
function serialOf(value: Uint8Array): string | null {
  try {
    const reader = openRoot(value);
    reader.oid();
    const serial = reader.octets();
    reader.finish();
    return Buffer.from(serial).toString('utf8');
  } catch (error) {
    if (error instanceof PkiError) return null;
    throw error;
  }
}
