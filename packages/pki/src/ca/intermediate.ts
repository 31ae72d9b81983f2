// An intermediate authority: a request for the enterprise's root, and what comes back.

import type { Bytes } from '../der/writer.ts';
import { generateKeyPair, type KeySpec } from '../keys/keys.ts';
import { localSigner } from '../keys/signer.ts';
import { createCsr } from '../x509/csr.ts';
import { basicConstraints, keyUsage } from '../x509/extensions.ts';
import type { NameInput } from '../x509/name.ts';

/**
 * Makes the key of an intermediate authority and the CSR that its parent signs. Give the certificate that comes back,
 * with its chain, to `openCa`, which checks that they fit.
 */
export async function requestIntermediateCa(options: {
  readonly subject: NameInput;
  readonly key?: KeySpec;
}): Promise<{ csr: Bytes; privateKey: Bytes }> {
  const { privateKey } = await generateKeyPair(options.key ?? { type: 'rsa', bits: 3072 });
  const csr = await createCsr({
    subject: options.subject,
    signer: localSigner(privateKey),
    extensions: [
      basicConstraints({ ca: true, pathLength: 0 }),
      keyUsage(['keyCertSign', 'cRLSign', 'digitalSignature']),
    ],
  });
  return { csr, privateKey };
}
