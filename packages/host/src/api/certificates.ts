// Admin API: the register of issued certificates: finding, revoking, renewing.
import { type CertificateRecord, CoreError, type Engine } from '@espalier/core';
import { type Operation, operation } from './operation.ts';
import * as shape from './schemas.ts';

/** The operations on certificates. */
export function certificateOperations({ certificates, enrolling }: Engine): Operation[] {
  const tag = 'Certificates';

  async function find(fingerprint: string): Promise<CertificateRecord> {
    const found = await certificates.get(fingerprint);
    if (found !== null) return found;
    throw new CoreError('core.certificate.unknown', 'not-found', 'there is no such certificate');
  }

  return [
    operation({
      id: 'listCertificates',
      permission: 'view devices',
      method: 'GET',
      path: '/certificates',
      tag,
      summary: 'Identity certificates that the CA has issued, newest first.',
      query: shape.certificateQuery,
      response: shape.pageOf(shape.certificate),
      handle: async ({ query: { status, ...query } }) =>
        await certificates.list({ ...query, ...(status === undefined ? {} : { statuses: [status] }) }),
    }),
    operation({
      id: 'getCertificate',
      permission: 'view devices',
      method: 'GET',
      path: '/certificates/{id}',
      tag,
      summary: 'One certificate, by its SHA-256 fingerprint.',
      params: shape.idParam,
      response: shape.certificate,
      refusals: [404],
      handle: async ({ params: { id } }) => {
        const { invitationId: _, ...certificate } = await find(id);
        return certificate;
      },
    }),
    operation({
      id: 'revokeCertificate',
      permission: 'manage certificates',
      method: 'POST',
      path: '/certificates/{id}/revoke',
      tag,
      summary: 'Revokes a certificate at once; a device that used it must enrol again.',
      params: shape.idParam,
      body: shape.revocation,
      status: 204,
      refusals: [404],
      handle: async ({ params: { id }, body }) => {
        await certificates.revoke(id, body.reason);
        return undefined;
      },
    }),
    operation({
      id: 'renewCertificate',
      permission: 'manage certificates',
      method: 'POST',
      path: '/devices/{id}/renew-certificate',
      tag,
      summary: 'Queues the renewal of a device’s identity certificate.',
      params: shape.idParam,
      response: shape.renewal,
      handle: async ({ params: { id } }) => ({ queued: await certificates.renew(id) }),
    }),
    operation({
      id: 'createClientIdentifier',
      permission: 'enrol devices',
      method: 'POST',
      path: '/acme/identifiers',
      tag: 'Enrolling',
      summary: 'Makes a single-use ACME client identifier.',
      body: shape.newClientIdentifier,
      status: 201,
      response: shape.clientIdentifier,
      refusals: [404],
      handle: async ({ body }) => await enrolling.clientIdentifier(body),
    }),
  ];
}
