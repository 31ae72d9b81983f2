// An authority that acts through another one.
import type { CertificateAuthority } from './authority.ts';

/** Every operation of an authority, as an object that can be spread: an adapter may be an instance of a class. */
export function delegateTo(authority: CertificateAuthority): CertificateAuthority {
  const { certificate, chain, signer, capabilities } = authority;
  return {
    certificate,
    chain,
    issue: (request) => authority.issue(request),
    ...(signer ? { signer } : {}),
    ...(capabilities ? { capabilities } : {}),
    ...(authority.revoke ? { revoke: (serial, reason) => authority.revoke!(serial, reason) } : {}),
    ...(authority.status ? { status: (serial) => authority.status!(serial) } : {}),
    ...(authority.profiles ? { profiles: () => authority.profiles!() } : {}),
    ...(authority.test ? { test: () => authority.test!() } : {}),
    ...(authority.challenge ? { challenge: () => authority.challenge!() } : {}),
  };
}
