// Admin API: the push certificate: its request, its import, when it ends.
import { type PushVendor, signPushRequest } from '@espalier/apple-mdm';
import { CoreError, type Engine } from '@espalier/core';
import { toPem } from '@espalier/pki';
import { z } from 'zod';
import { type Operation, operation } from './operation.ts';

const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const text = z.string();

const pushCertificate = z
  .object({
    topic: text,
    fingerprint: text,
    serialNumber: text,
    notBefore: time,
    notAfter: time,
    importedAt: time,
  })
  .meta({ id: 'PushCertificate' });

const request = z
  .object({
    csr: text.meta({ description: 'The request, PEM, for the vendor to sign.' }),
    signed: text.nullable().meta({
      description: 'The signed request as identity.apple.com/pushcert takes it; null where this server is no vendor.',
    }),
    createdAt: time,
  })
  .meta({ id: 'PushCertificateRequest' });

const newRequest = z.strictObject({
  commonName: z.string().min(1).max(64).exactOptional(),
  email: z
    .string()
    .max(200)
    .regex(/^[\x21-\x7e]+@[\x21-\x7e]+$/, 'An address has an @ in it.')
    .exactOptional(),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/, 'A country has two capital letters.')
    .exactOptional(),
  fresh: z.boolean().exactOptional().meta({ description: 'Make another request, though one waits.' }),
});

const certificateImport = z.strictObject({
  certificate: z.string().min(1).max(100_000).meta({ description: 'PEM, as Apple’s portal gives it.' }),
  privateKey: z
    .string()
    .max(100_000)
    .exactOptional()
    .meta({ description: 'PEM, where the key was not made by this server.' }),
  password: z.string().max(1000).exactOptional(),
  replaceTopic: z
    .boolean()
    .exactOptional()
    .meta({ description: 'Take another topic, although all devices must then enrol anew.' }),
});

/** The operations on the push certificate. */
export function pushCertificateOperations({ pushCertificates }: Engine, vendor: PushVendor | undefined): Operation[] {
  const tag = 'Push certificate';
  const bytes = (pem: string): Uint8Array => new TextEncoder().encode(pem);
  return [
    operation({
      id: 'getPushCertificate',
      permission: 'view devices',
      method: 'GET',
      path: '/push-certificate',
      tag,
      summary: 'The push certificate in force.',
      response: pushCertificate,
      refusals: [404],
      handle: async () => {
        const found = await pushCertificates.get();
        if (found !== null) return found;
        throw new CoreError('core.push_certificate.none', 'not-found', 'no push certificate was imported');
      },
    }),
    operation({
      id: 'requestPushCertificate',
      permission: 'manage settings',
      method: 'POST',
      path: '/push-certificate/request',
      tag,
      summary: 'Makes a request for a push certificate, or gives the one that waits.',
      body: newRequest,
      response: request,
      handle: async ({ body }) => {
        const { csr, createdAt } = await pushCertificates.request(body);
        return {
          csr: toPem(csr, 'CERTIFICATE REQUEST'),
          signed: vendor === undefined ? null : signPushRequest(csr, vendor),
          createdAt,
        };
      },
    }),
    operation({
      id: 'importPushCertificate',
      permission: 'manage settings',
      method: 'POST',
      path: '/push-certificate',
      tag,
      summary: 'Takes the certificate that Apple’s portal issued: the first one, or a renewal.',
      body: certificateImport,
      response: pushCertificate,
      refusals: [409],
      handle: async ({ body: { certificate, privateKey, ...rest } }) =>
        await pushCertificates.import({
          certificate: bytes(certificate),
          ...(privateKey === undefined ? {} : { privateKey: bytes(privateKey) }),
          ...rest,
        }),
    }),
  ];
}
