// The contract suite of certificate authorities: what any of them, ours or an adapter to another one, must pass.
import type { CertificateAuthority } from '../ca/authority.ts';
import { isPkiError, type PkiError, type PkiErrorKind } from '../errors.ts';
import type { KeySpec } from '../keys/keys.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { verifyTrust } from '../x509/trust.ts';
import { ec, requester, rsa } from './requests.ts';
import { revocationTests } from './revocation.ts';
import {
  type AuthorityContractRunner,
  type AuthorityFixture,
  type AuthoritySuite,
  errorOf,
  type OpenAuthority,
} from './runner.ts';

export type {
  AuthorityContractRunner,
  AuthorityExpectation,
  AuthorityFixture,
  OpenAuthority,
} from './runner.ts';

const day = 86_400_000;

/**
 * Registers the contract suite for an authority: the same tests, in the same number, for every one.
 *
 * @param name What the tests are listed under.
 * @param open Opens an authority; called once for each test, which closes it.
 * @param runner The test runner's functions.
 * @example
 * import { describe, expect, it } from 'vitest';
 * authorityContract('my authority', async () => ({ authority: await openMine(), now: Date.now }), { describe, it, expect });
 */
export function authorityContract(name: string, open: OpenAuthority, runner: AuthorityContractRunner): void {
  const { expect } = runner;
  const suite: AuthoritySuite = {
    expect,
    test(title, body) {
      runner.it(title, async () => {
        const fixture = await open();
        try {
          await body(fixture);
        } finally {
          await fixture.close?.();
        }
      });
    },
  };
  runner.describe(`${name}: authority contract`, () => {
    issuingTests(suite);
    refusalTests(suite);
    revocationTests(suite);
  });
}

function issuingTests({ test, expect }: AuthoritySuite): void {
  test('shows its own certificate, and a chain in order', async ({ authority, now }) => {
    const own = readCertificate(authority.certificate);
    expect(own.basicConstraints?.ca, 'it is an authority').toBe(true);
    expect(own.keyUsage === undefined || own.keyUsage.includes('keyCertSign'), 'it may sign').toBe(true);
    let last = authority.certificate;
    for (const issuer of authority.chain) {
      expect(verifyTrust(last, { anchors: [issuer], now: now(), allowSha1: true }).length, 'one step').toBe(2);
      last = issuer;
    }
  });

  for (const [kind, spec] of [
    ['RSA', rsa],
    ['EC', ec],
  ] as const) {
    test(`issues for the very key, subject and names that were asked for (${kind})`, async (fixture) => {
      const { authority } = fixture;
      const asked = await requester(spec);
      if (!takes(authority, spec.type)) {
        const error = await errorOf(authority.issue(await asked.request('CN=one')));
        expect(isPkiError(error, 'pki.ca.unsupported'), `what it does not certify, it refuses: ${error}`).toBe(true);
        return;
      }
      const sans = [{ type: 'dns', value: 'device.example' } as const];
      const certificate = readCertificate(await authority.issue(await asked.request('CN=one,O=Example', sans)));
      expect(hex(certificate.publicKey), 'the public key').toBe(hex(asked.keys.publicKey));
      expect(parts(certificate), 'the subject').toEqual(['2.5.4.10=Example', '2.5.4.3=one']);
      expect(certificate.sans, 'the alternative names').toEqual(sans);
      expectSound(fixture, certificate);
    });
  }

  test('adds no name that was not asked for', async ({ authority }) => {
    const asked = await requester(any(authority));
    const certificate = readCertificate(await authority.issue(await asked.request('CN=plain')));
    expect(certificate.sans, 'the alternative names').toEqual([]);
    expect(parts(certificate), 'the subject').toEqual(['2.5.4.3=plain']);
  });

  test('gives certificates that device identities are verified with', async ({ authority, now }) => {
    const asked = await requester(any(authority));
    const certificate = await authority.issue(await asked.request('CN=client'));
    const options = { anchors: [authority.certificate], now: now(), allowSha1: true };
    expect(verifyTrust(certificate, { ...options, purpose: 'client-auth' }).length, 'the chain').toBe(2);
    const { keyUsage } = readCertificate(certificate);
    expect(keyUsage === undefined || keyUsage.includes('digitalSignature'), 'it may sign').toBe(true);
    expect(keyUsage?.includes('keyCertSign') ?? false, 'it may not sign certificates').toBe(false);
  });

  test('gives each certificate a serial number of its own, also at once', async ({ authority }) => {
    const two = takes(authority, 'ec') ? await requester(ec) : await requester(rsa, 'other');
    const one = takes(authority, 'rsa') ? await requester(rsa) : await requester(ec, 'other');
    const requests = await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? one : two).request(`CN=device ${i}`)),
    );
    const serials = new Set<string>();
    const certificates = await Promise.all(requests.map((request) => authority.issue(request)));
    for (const [i, der] of certificates.entries()) {
      const { serialNumber, subjectCn } = readCertificate(der);
      expect(subjectCn, 'to whom it was issued').toBe(`device ${i}`);
      expect(/^[0-7][0-9a-f]{0,39}$|^[0-9a-f]{1,38}$/.test(serialNumber), 'at most 20 octets, positive').toBe(true);
      expect(/^0*$/.test(serialNumber), 'not zero').toBe(false);
      serials.add(serialNumber);
    }
    expect(serials.size, 'different serial numbers').toBe(12);
  });

  test('keeps to the validity asked for, where that is not the issuer’s to choose', async ({ authority, now }) => {
    if (authority.capabilities?.requestOnly) return;
    const asked = await requester(any(authority));
    for (const validityDays of [1, 30]) {
      const request = { ...(await asked.request('CN=validity')), validityDays };
      const { notAfter } = readCertificate(await authority.issue(request));
      const off = Math.abs(notAfter.getTime() - (now() + validityDays * day));
      expect(off <= 10 * 60_000, `${validityDays} days, within ten minutes`).toBe(true);
    }
  });

  test('tries the way to its issuer without issuing', async ({ authority, cutOff }) => {
    if (!authority.test) return;
    await authority.test();
    if (!cutOff) return;
    await cutOff();
    const error = await errorOf(authority.test());
    expect(isPkiError(error), `a PkiError, not ${String(error)}`).toBe(true);
    expect((error as PkiError).kind, 'its kind').toBe('unavailable');
  });

  test('lists profiles that can be told apart', async ({ authority }) => {
    const profiles = (await authority.profiles?.()) ?? [];
    expect(new Set(profiles.map(({ id }) => id)).size, 'different ids').toBe(profiles.length);
    for (const { id, name, fields } of profiles) {
      expect(id !== '' && name !== '', 'an id and a name').toBe(true);
      expect(new Set(fields.map((field) => field.name)).size, `different fields of ${id}`).toBe(fields.length);
    }
    if (profiles.length === 0) return;
    const request = await (await requester(any(authority))).request('CN=profile');
    const error = await errorOf(authority.issue({ ...request, profile: { id: `no such profile ${profiles[0]!.id}` } }));
    expect(isPkiError(error), `an unknown profile is refused with a PkiError, not ${String(error)}`).toBe(true);
  });

  test('does not change what it is given', async ({ authority }) => {
    const asked = await requester(any(authority));
    const request = await asked.request('CN=given');
    const before = hex(request.csr);
    await authority.issue(Object.freeze({ ...request }));
    expect(hex(request.csr), 'the CSR').toBe(before);
  });

  /** What holds for every certificate of every authority. */
  function expectSound({ authority, now }: AuthorityFixture, certificate: Certificate): void {
    const own = readCertificate(authority.certificate);
    expect(certificate.issuer, 'the issuer').toBe(own.subject);
    const options = { anchors: [authority.certificate], now: now(), allowSha1: true };
    expect(verifyTrust(certificate.der, options).length, 'signed by the authority').toBe(2);
    expect(certificate.basicConstraints?.ca ?? false, 'no authority itself').toBe(false);
    expect(certificate.notBefore.getTime() <= now(), 'valid already').toBe(true);
    expect(certificate.notAfter.getTime() > now(), 'valid still').toBe(true);
    expect(certificate.notAfter <= own.notAfter, 'not longer than the authority').toBe(true);
    const id = certificate.authorityKeyIdentifier;
    expect(id === undefined || id === own.subjectKeyIdentifier, 'the key identifier of the authority').toBe(true);
  }
}

function refusalTests({ test, expect }: AuthoritySuite): void {
  const refusal = (name: string, kinds: readonly PkiErrorKind[], ask: (ca: CertificateAuthority) => Promise<unknown>) =>
    test(`refuses ${name}`, async ({ authority }) => {
      const error = await errorOf(ask(authority));
      expect(isPkiError(error), `a PkiError, not ${String(error)}`).toBe(true);
      expect(kinds.includes((error as PkiError).kind), `kind ${(error as PkiError).kind}`).toBe(true);
    });

  refusal('a request without a key', ['invalid'], (ca) => ca.issue({ subject: 'CN=x', template: 'device' }));
  refusal('a CSR whose signature is wrong', ['invalid', 'unauthenticated'], async (ca) => {
    const request = await (await requester(rsa)).request('CN=x');
    const csr = Uint8Array.from(request.csr);
    csr[csr.length - 1]! ^= 1;
    return ca.issue({ ...request, csr });
  });
  refusal('what is no CSR at all', ['invalid'], (ca) =>
    ca.issue({ csr: Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00), template: 'device' }),
  );
  refusal('a weak key', ['invalid'], async (ca) =>
    ca.issue(await (await requester({ type: 'rsa', bits: 1024 })).request('CN=weak')),
  );
  refusal('an unknown template', ['invalid'], async (ca) =>
    ca.issue({ ...(await (await requester(ec)).request('CN=x')), template: 'no such template' as 'device' }),
  );

  test('is unavailable, and says so, while its issuer cannot be reached', async ({ authority, cutOff }) => {
    if (!cutOff) return;
    const request = await (await requester(any(authority))).request('CN=later');
    await cutOff();
    const error = await errorOf(authority.issue(request));
    expect(isPkiError(error), `a PkiError, not ${String(error)}`).toBe(true);
    expect((error as PkiError).kind, 'its kind').toBe('unavailable');
  });
}

const takes = ({ capabilities }: CertificateAuthority, type: 'rsa' | 'ec'): boolean =>
  capabilities?.keys?.includes(type) ?? true;

/** A kind of key that the authority certifies. */
const any = (authority: CertificateAuthority): KeySpec => (takes(authority, 'rsa') ? rsa : ec);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Attributes of the subject whatever their order: issuers write names anew. */
const parts = (certificate: Certificate): string[] =>
  certificate.subjectName
    .flat()
    .map(({ type, value }) => `${type}=${value}`)
    .sort();
