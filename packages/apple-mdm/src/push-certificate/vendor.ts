// The vendor's signature on a customer's request for a push certificate, in the form that Apple's portal takes.
// Source: Apple, "Setting Up Push Notifications for Your MDM Customers" (the section on signing the CSR).
import type { X509Certificate } from 'node:crypto';
import { encodeXml } from '@espalier/plist';
import { crypto } from '../builtins.ts';
import { MdmError } from '../errors.ts';

/** Who signs: the MDM vendor, with the MDM signing certificate (`MDM CSR`) that Apple's developer portal issues. */
export interface PushVendor {
  /** The signing certificate: PEM, or DER. */
  readonly certificate: string | Uint8Array;
  /** Its RSA key: PEM, or PKCS#8 DER. */
  readonly privateKey: string | Uint8Array;
  /** Its issuers, nearest first, up to the root that signed itself: each PEM or DER. */
  readonly chain: readonly (string | Uint8Array)[];
}

/**
 * Signs a request for a push certificate as the vendor: the text that identity.apple.com/pushcert takes, a base64 property
 * list of the request, the signature (SHA-256 with RSA) and the vendor's whole chain.
 *
 * @param csr The customer's request, DER.
 * @throws MdmError `mdm.push_certificate.vendor` for a key that is not the certificate's or not RSA, or a chain that does
 * not lead to its root; `mdm.push_certificate.request` for a request that is none.
 * @example
 * writeFileSync('PushCertificateRequest', signPushRequest(csr, { certificate, privateKey, chain: [wwdr, appleRoot] }));
 */
export function signPushRequest(csr: Uint8Array, vendor: PushVendor): string {
  // A DER SEQUENCE; Apple checks the rest, and so does who made it.
  if (!(csr instanceof Uint8Array) || csr.length < 100 || csr.length > 64 * 1024 || csr[0] !== 0x30) {
    throw new MdmError('mdm.push_certificate.request', 'not a certificate signing request in DER');
  }
  const chain = [vendor.certificate, ...vendor.chain].map(certificateOf);
  checkChain(chain);
  const key = keyOf(vendor.privateKey);
  if (key.asymmetricKeyType !== 'rsa' || !chain[0]!.checkPrivateKey(key)) {
    throw bad('the vendor’s private key is not the RSA key of its certificate');
  }
  const list = encodeXml({
    PushCertRequestCSR: Buffer.from(csr).toString('base64'),
    PushCertCertificateChain: chain.map(pemOf).join(''),
    PushCertSignature: crypto().sign('sha256', csr, key).toString('base64'),
  });
  return Buffer.from(list).toString('base64');
}

/** Apple wants every certificate up to the root, and the root itself. */
function checkChain(chain: readonly X509Certificate[]): void {
  for (const [index, certificate] of chain.entries()) {
    const issuer = chain[index + 1] ?? certificate;
    if (certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)) continue;
    throw bad(
      index === chain.length - 1
        ? 'the vendor’s chain does not end with a root'
        : `certificate ${index + 1} of the vendor’s chain is not signed by the next one`,
    );
  }
}

/** 64 characters a line, as Apple asks; each ends with a line break. */
function pemOf(certificate: X509Certificate): string {
  const lines = certificate.raw.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function certificateOf(input: string | Uint8Array): X509Certificate {
  try {
    return new (crypto().X509Certificate)(input);
  } catch (cause) {
    throw bad('the vendor’s chain has something that is no certificate', cause);
  }
}

function keyOf(input: string | Uint8Array) {
  try {
    return typeof input === 'string'
      ? crypto().createPrivateKey(input)
      : crypto().createPrivateKey({ key: Buffer.from(input), format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw bad('the vendor’s private key cannot be read', cause);
  }
}

function bad(problem: string, cause?: unknown): MdmError {
  return new MdmError('mdm.push_certificate.vendor', problem, {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'Give the MDM signing certificate with its key, the WWDR intermediate and Apple’s root.',
  });
}
