// A challenge that all devices share.
import { createHash, timingSafeEqual } from 'node:crypto';
import { PkiError } from '../errors.ts';
import type { ScepDecision, ScepGrant, ScepRequest } from './types.ts';

/**
 * An `authorise` for `createScepServer` that believes one shared secret, compared in constant time. Whoever knows it gets
 * certificates without end: use single-use challenges where devices can have them, and name subjects in the grant.
 *
 * @param grant what a requester gets, e.g. made from the CSR.
 * @throws PkiError `pki.scep.challenge` for a secret of less than 16 characters.
 * @example
 * createScepServer({ ca, store, clock, authorise: staticChallenge(secret, () => ({ reference: 'lab' })) });
 */
export function staticChallenge(
  secret: string,
  grant: (request: ScepRequest) => ScepGrant,
): (request: ScepRequest) => Promise<ScepDecision> {
  if (secret.length < 16) throw new PkiError('pki.scep.challenge', 'a shared challenge has 16 characters at least');
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  const expected = digest(secret);
  return async (request) =>
    timingSafeEqual(digest(request.csr.challengePassword ?? ''), expected)
      ? { decision: 'issue', grant: grant(request) }
      : { decision: 'refuse', reason: 'wrong challenge' };
}
