// Admin API: the authorities around a change: which issues, how many certificates of each live, and letting one go (CERT-12).
import type { Engine } from '@espalier/core';
import { type CaCertificate, readCertificate, rolloverPlan } from '@espalier/pki';
import { z } from 'zod';
import { HostError } from '../errors.ts';
import { type Operation, operation } from './operation.ts';
import { idParam } from './schemas.ts';

/** The authorities of a host. */
export interface HostAuthorities {
  readonly current: CaCertificate;
  readonly next?: CaCertificate;
  readonly earlier?: readonly CaCertificate[];
  /** Takes an earlier one out of where they are kept. */
  readonly retire?: (keyId: string) => Promise<boolean>;
}

const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const authority = z
  .object({
    id: z.string().meta({ description: 'Key identifier, as in `/ca.crt/{id}` and `/ca.crl/{id}`.' }),
    role: z.enum(['current', 'next', 'earlier']),
    subject: z.string(),
    fingerprint: z.string(),
    notBefore: time,
    notAfter: time,
    inUse: z.number().int().meta({ description: 'Certificates that it issued and that live.' }),
    action: z
      .enum(['none', 'prepare', 'promote', 'retire'])
      .meta({ description: 'What is to be done: prepare the next one, promote it, or let this one go.' }),
  })
  .meta({ id: 'Authority' });

/** The operations on authorities. */
export function authorityOperations({ certificates, clock }: Engine, authorities: HostAuthorities): Operation[] {
  const tag = 'Certificates';
  const { current, next, earlier = [] } = authorities;
  const all = [
    { role: 'current', certificate: current.certificate },
    ...(next === undefined ? [] : [{ role: 'next', certificate: next.certificate } as const]),
    ...earlier.map(({ certificate }) => ({ role: 'earlier', certificate }) as const),
  ] as const;
  const retired = new Set<string>();

  async function list() {
    const counts = await certificates.inUse();
    // A certificate that does not say who issued it may be of any of them.
    const unknown = counts.find(({ authorityKeyId }) => authorityKeyId === null)?.count ?? 0;
    return all
      .map(({ role, certificate }) => {
        const { subject, fingerprintSha256: fingerprint, subjectKeyIdentifier, ...read } = readCertificate(certificate);
        const id = subjectKeyIdentifier ?? fingerprint;
        const inUse = (counts.find(({ authorityKeyId }) => authorityKeyId === id)?.count ?? 0) + unknown;
        const plan = role === 'current' ? rolloverPlan(certificate, clock.now()).action : 'none';
        const prepared = plan === 'prepare' && next !== undefined ? 'none' : plan;
        return {
          ...{ id, role, subject, fingerprint, inUse },
          notBefore: read.notBefore.getTime(),
          notAfter: read.notAfter.getTime(),
          action: role === 'earlier' && inUse === 0 ? ('retire' as const) : prepared,
        };
      })
      .filter(({ id }) => !retired.has(id));
  }

  return [
    operation({
      id: 'listAuthorities',
      permission: 'view devices',
      method: 'GET',
      path: '/authorities',
      tag,
      summary: 'The authority that issues, the one that follows, and those before.',
      response: z.array(authority).readonly(),
      handle: list,
    }),
    operation({
      id: 'retireAuthority',
      permission: 'manage certificates',
      method: 'DELETE',
      path: '/authorities/{id}',
      tag,
      summary: 'Lets an earlier authority go that no living certificate needs; it is trusted until the next start.',
      params: idParam,
      status: 204,
      refusals: [404, 409],
      handle: async ({ params: { id } }) => {
        const found = (await list()).find((one) => one.id === id && one.role === 'earlier');
        if (found === undefined) {
          throw new HostError('not-found', 'host.ca.unknown', 'There is no such earlier authority.');
        }
        if (found.inUse > 0) {
          throw new HostError('conflict', 'host.ca.in_use', `${found.inUse} certificates of this authority live.`, {
            remedy: 'Wait until they have been renewed or have ended, or revoke them.',
          });
        }
        if (authorities.retire === undefined || !(await authorities.retire(id))) {
          throw new HostError(
            'conflict',
            'host.ca.kept_elsewhere',
            'This server does not keep its authorities itself.',
            {
              remedy: 'Leave it out of the rollover option.',
            },
          );
        }
        retired.add(id);
        return undefined;
      },
    }),
  ];
}
