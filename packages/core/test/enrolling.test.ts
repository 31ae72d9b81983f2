// Invitations, challenges, the SCEP store, and what binds a device to its invitation.
import { createRootCa, createScepServer, openCa, scepEnrol } from '@espalier/pki';
import { describe, expect, it } from 'vitest';
import { bench, ScriptedDevice, seededRandom } from './support.ts';

const HOUR = 3_600_000;

describe('invitations', () => {
  it('have a PIN and a token that both redeem', async () => {
    const { engine, clock } = bench();
    const made = await engine.enrolling.invite({ note: 'for Ann', pinLength: 8, ttlHours: 2 });
    expect(made).toMatchObject({
      status: 'valid',
      note: 'for Ann',
      enrolmentId: null,
      expiresAt: clock.now() + 2 * HOUR,
    });
    expect(made.pin).toMatch(/^\d{8}$/);
    expect(await engine.enrolling.redeem({ pin: made.pin })).toEqual(made);
    expect(await engine.enrolling.redeem({ token: made.token })).toEqual(made);
    expect((await engine.enrolling.invitations()).items).toEqual([made]);
  });

  it('refuse what is unknown, revoked or expired', async () => {
    const { engine, clock } = bench();
    const { enrolling } = engine;
    await expect(enrolling.redeem({ pin: '000000' })).rejects.toMatchObject({
      code: 'core.invitation.unknown',
      kind: 'not-found',
    });
    const made = await enrolling.invite();
    // A PIN is not a token.
    await expect(enrolling.redeem({ token: made.pin })).rejects.toMatchObject({ code: 'core.invitation.unknown' });
    clock.advance(24 * HOUR);
    await expect(enrolling.redeem({ pin: made.pin })).rejects.toMatchObject({
      code: 'core.invitation.expired',
      kind: 'forbidden',
    });
    const other = await enrolling.invite();
    await enrolling.revoke(other.id);
    await enrolling.revoke(other.id);
    await expect(enrolling.redeem({ pin: other.pin })).rejects.toMatchObject({ code: 'core.invitation.unknown' });
    await expect(enrolling.revoke('nobody')).rejects.toMatchObject({ code: 'core.invitation.unknown' });
  });

  it('refuse lengths and times that make no sense', async () => {
    const { enrolling } = bench().engine;
    for (const options of [
      { pinLength: 5 },
      { pinLength: 13 },
      { pinLength: 6.5 },
      { ttlHours: 0 },
      { ttlHours: Number.NaN },
    ]) {
      await expect(enrolling.invite(options)).rejects.toMatchObject({ code: 'core.invitation.bad_option' });
    }
  });

  it('draw another PIN when one is taken', async () => {
    const draws = [1, 1, 2, 2, 1, 3];
    const rest = seededRandom();
    // Twelve bytes are asked for to draw a PIN of six digits.
    const random = (length: number) => (length === 12 ? new Uint8Array(12).fill(draws.shift() ?? 4) : rest(length));
    const { engine } = bench({ random });
    const pins = new Set<string>();
    for (let i = 0; i < 3; i++) pins.add((await engine.enrolling.invite()).pin);
    expect([...pins]).toEqual(['111111', '222222', '333333']);
  });
});

describe('enrolment with SCEP', () => {
  async function authority() {
    const { engine, store, clock } = bench();
    const root = await createRootCa({ subject: 'CN=Test CA', validityDays: 365, clock });
    const ca = await openCa({ ...root, clock });
    const scep = await createScepServer({ ca, store: engine.enrolling.scepStore, clock });
    const enrol = (challenge: string, subject = 'CN=device') =>
      scepEnrol({
        url: 'http://scep.test/scep',
        fetch: (request) => scep.handle(request),
        subject,
        challenge,
        clock,
      });
    return { engine, store, clock, enrol };
  }

  it('gives one certificate for a challenge, registered and bound to the invitation', async () => {
    const { engine, enrol } = await authority();
    const invitation = await engine.enrolling.invite();
    const { challenge, expiresAt } = await engine.enrolling.challenge({
      invitationId: invitation.id,
      ttlMinutes: 999_999 / 60,
    });
    expect(expiresAt).toBeLessThanOrEqual(invitation.expiresAt);
    const { certificate } = await enrol(challenge);
    await expect(enrol(challenge)).rejects.toMatchObject({ name: 'PkiError' });
    const [registered] = (await engine.enrolling.certificates()).items;
    expect(registered).toMatchObject({ status: 'issued', enrolmentId: null });
    expect(Buffer.compare(registered!.certificate, certificate)).toBe(0);

    const device = new ScriptedDevice(engine, 'U1');
    device.identity = { fingerprint: registered!.fingerprint, certificate, source: 'mdm-signature' };
    await device.enrol();
    expect((await engine.devices.get('U1'))?.enrolment.invitationId).toBe(invitation.id);
    expect((await engine.enrolling.certificates({ enrolmentId: 'U1' })).items[0]?.status).toBe('in-force');
    await expect(engine.enrolling.redeem({ pin: invitation.pin })).rejects.toMatchObject({
      code: 'core.invitation.used',
    });
    await expect(engine.enrolling.challenge({ invitationId: invitation.id })).rejects.toMatchObject({
      code: 'core.invitation.expired',
    });
    expect((await engine.events.list({ type: 'invitation.consumed' })).items).toHaveLength(1);
    expect((await engine.events.list({ type: 'certificate.issued' })).items).toHaveLength(1);
  });

  it('never has two identities in force', async () => {
    const { engine, enrol } = await authority();
    const device = new ScriptedDevice(engine, 'U1');
    for (let i = 0; i < 3; i++) {
      const { id: invitationId } = await engine.enrolling.invite({ serialNumber: 'SU1' });
      const { certificate } = await enrol((await engine.enrolling.challenge({ invitationId })).challenge);
      const { fingerprint } = (await engine.enrolling.certificates()).items[0]!;
      device.identity = { fingerprint, certificate, source: 'tls' };
      await device.enrol();
      const { items } = await engine.enrolling.certificates({ enrolmentId: 'U1' });
      expect(items.filter((item) => item.status === 'in-force').map((item) => item.fingerprint)).toEqual([fingerprint]);
    }
  });

  it('refuses an expired challenge', async () => {
    const { engine, clock, enrol } = await authority();
    const { challenge } = await engine.enrolling.challenge({ ttlMinutes: 1 });
    clock.advance(60_000);
    await expect(enrol(challenge)).rejects.toMatchObject({ name: 'PkiError' });
    expect((await engine.enrolling.certificates()).items).toEqual([]);
  });
});

describe('an ACME order that waits for the authority', () => {
  it('keeps its request sealed, and its identifiers', async () => {
    const { engine, clock } = bench();
    await engine.ready();
    const { acmeStore } = engine.enrolling;
    const order = {
      ...{ id: 'o', accountId: 'a', identifiers: [{ type: 'permanent-identifier', value: 'secret' }] },
      ...{ authorizations: [], expires: clock.now() + HOUR, certificateId: null, publicKeyHash: null },
    };
    await acmeStore.addOrder(order, []);
    expect(await acmeStore.findOrder('o')).toEqual(order);
    const held = { csr: Uint8Array.of(1, 2, 3), expires: clock.now() + 9 * HOUR };
    await acmeStore.holdOrder!('o', held);
    expect(await acmeStore.findOrder('o')).toEqual({ ...order, heldCsr: held.csr, expires: held.expires });
    await acmeStore.holdOrder!('none', held);
    expect(await acmeStore.findOrder('none')).toBe(null);
  });
});
