// Telling issuers of revocations: again until it is done, also after a restart, and given up with an event.
import { describe, expect, it } from 'vitest';
import type { EngineInput, IssuedCertificate } from '../src/index.ts';
import { bench, identity, type TestBench } from './support.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

async function register({ store, clock }: TestBench, name: string): Promise<string> {
  const { fingerprint, certificate } = identity(name);
  const at = clock.now();
  const nobody = { invitationId: null, enrolmentId: null, credentialId: null, deviceId: null };
  const entry = {
    ...{ fingerprint, certificate, serialNumber: `serial ${name}`, subject: `CN=${name}`, ...nobody },
    ...{ notBefore: at, notAfter: at + 365 * DAY, authorityKeyId: null, attestation: null, deliveredAt: at },
  };
  await store.certificates.register(entry, { type: 'certificate.issued', at, enrolmentId: null, data: {} });
  return fingerprint;
}

/** An issuer that can be away. */
function issuer(answer: () => boolean = () => true) {
  const told: string[] = [];
  const issuerRevoke = async ({ serialNumber, revocationReason }: IssuedCertificate): Promise<boolean> => {
    told.push(`${serialNumber} ${revocationReason}`);
    return answer();
  };
  return { told, issuerRevoke };
}

const away = (): never => {
  throw new Error('the issuer is away');
};

const ends = async ({ engine }: TestBench) =>
  (await engine.events.list({ order: 'oldest', limit: 500 })).items
    .filter(({ type }) => type.startsWith('certificate.revocation-'))
    .map(({ type, data }) => `${type} ${data['serialNumber']} ${data['outcome'] ?? data['reason']}`);

describe('a revocation', () => {
  it('is told to the issuer, with its reason, once', async () => {
    const { told, issuerRevoke } = issuer();
    const made = bench({ issuerRevoke });
    await made.engine.certificates.revoke(await register(made, 'a'), 'keyCompromise');
    expect(told).toEqual([]);
    for (let turn = 0; turn < 2; turn += 1) await made.engine.tick();
    made.clock.advance(DAY);
    await made.engine.tick();
    expect(told).toEqual(['serial a keyCompromise']);
    expect(await ends(made)).toEqual(['certificate.revocation-told serial a revoked']);
  });

  it('is told again with growing pauses while the issuer is away, also by another process', async () => {
    let there = false;
    const { told, issuerRevoke } = issuer(() => there || away());
    const made = bench({ issuerRevoke });
    await made.engine.certificates.revoke(await register(made, 'a'));
    await made.engine.tick();
    await made.engine.tick();
    expect(told).toHaveLength(1);
    for (const [minutes, times] of [
      [1, 2],
      [0.5, 2],
      [0.5, 3],
      [1, 3],
      [1, 4],
    ] as const) {
      made.clock.advance(minutes * MINUTE);
      await made.engine.tick();
      expect(told).toHaveLength(times);
    }
    there = true;
    const { store, clock } = made;
    clock.advance(DAY);
    await bench({ store, clock, issuerRevoke }).engine.tick();
    expect(told).toHaveLength(5);
    expect(await ends(made)).toEqual(['certificate.revocation-told serial a revoked']);
  });

  it('is given up after a week, and told so', async () => {
    const { told, issuerRevoke } = issuer(away);
    const made = bench({ issuerRevoke });
    await made.engine.certificates.revoke(await register(made, 'a'));
    for (let hour = 0; hour <= 8 * 24; hour += 6) {
      await made.engine.tick();
      made.clock.advance(6 * 60 * MINUTE);
    }
    expect(told).toHaveLength(29);
    expect(await ends(made)).toEqual(['certificate.revocation-failed serial a the issuer is away']);
  });

  it('of a certificate that the issuer does not know is done, and no news where it takes none', async () => {
    const unknown = Object.assign(new Error('never issued'), { kind: 'not-found' });
    const one = issuer(() => {
      throw unknown;
    });
    const made = bench({ issuerRevoke: one.issuerRevoke });
    await made.engine.certificates.revoke(await register(made, 'a'));
    await made.engine.tick();
    expect(await ends(made)).toEqual(['certificate.revocation-told serial a unknown']);
    const other = issuer(() => false);
    const silent = bench({ issuerRevoke: other.issuerRevoke });
    await silent.engine.certificates.revoke(await register(silent, 'a'));
    await silent.engine.tick();
    await silent.engine.tick();
    expect([other.told.length, await ends(silent)]).toEqual([1, []]);
  });

  it('does not keep the housekeeping at an issuer that is away', async () => {
    const { told, issuerRevoke } = issuer(away);
    const made = bench({ issuerRevoke } satisfies Partial<EngineInput>);
    for (let nr = 0; nr < 20; nr += 1) await made.engine.certificates.revoke(await register(made, `c${nr}`));
    await made.engine.tick();
    expect(told).toHaveLength(3);
  });
});
