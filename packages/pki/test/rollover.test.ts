// Rollover: a device keeps its certificate while the authority changes above it.
import { beforeAll, describe, expect, it } from 'vitest';
import { parseSignedData } from '../src/cms/signed-read.ts';
import {
  createCaSet,
  createMemoryScepStore,
  createRootCa,
  createScepServer,
  fingerprintSha256,
  generateKeyPair,
  type Identity,
  openCa,
  readCertificate,
  retirableCas,
  rolloverPlan,
  scepEnrol,
  verifyCms,
} from '../src/index.ts';
import { codeOf, now, openssl, oracle, pemFile } from './support.ts';

const day = 86_400_000;
const url = 'http://scep.test/scep';
let time = now;
const clock = (): number => time;

let first: Identity;
let second: Identity;
let third: Identity;
beforeAll(async () => {
  // All have one name, as authorities that follow each other mostly do.
  const make = () =>
    createRootCa({ subject: 'CN=Device CA,O=Example', key: { type: 'rsa', bits: 2048 }, validityDays: 1000, clock });
  [first, second, third] = await Promise.all([make(), make(), make()]);
});

describe('a set of authorities', () => {
  it('issues from the current one and believes them all', async () => {
    const [a, b, c] = await Promise.all([first, second, third].map((item) => openCa({ ...item, clock })));
    const set = createCaSet({ current: b!, earlier: [a!], next: { certificate: third.certificate }, clock });
    const { publicKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const issue = (ca: { issue: typeof set.issue }) => ca.issue({ publicKey, subject: 'CN=d', template: 'device' });
    const certificates = { earlier: await issue(a!), current: await issue(set), next: await issue(c!) };
    for (const [role, certificate] of Object.entries(certificates)) {
      const verified = set.verify(certificate, { purpose: 'client-auth' });
      expect(verified.role).toBe(role);
      expect(verified.chain).toHaveLength(2);
    }
    expect(fingerprintSha256(set.verify(certificates.earlier).issuer)).toBe(fingerprintSha256(first.certificate));
    expect(set.anchors).toHaveLength(3);

    const without = createCaSet({ current: b!, clock });
    expect(codeOf(() => without.verify(certificates.earlier))).toBe('pki.trust.bad_signature');
    expect(codeOf(() => without.verify(certificates.next))).toBe('pki.trust.bad_signature');
    expect(codeOf(() => set.verify(certificates.current, { purpose: 'server-auth' }))).toBe('pki.trust.purpose');
    expect(codeOf(() => createCaSet({ current: a!, earlier: [a!], clock }))).toBe('pki.ca.set');
  });

  it('carries a device over by SCEP: announced, promoted, renewed', async () => {
    time = now;
    const store = createMemoryScepStore({ clock });
    const authorise = async () => ({ reference: 'renewal' });
    const serverOf = (set: ReturnType<typeof createCaSet>) => {
      const { ca, nextCa, previousCas } = set.scep;
      return createScepServer({
        ...{ ca, store, clock, renewal: { authorise, previousCas } },
        ...(nextCa ? { nextCa } : {}),
      });
    };
    const old = await openCa({ ...first, clock });
    const before = serverOf(createCaSet({ current: old, next: second, clock }));
    const caps = await (await before.handle(new Request(`${url}?operation=GetCACaps`))).text();
    expect(caps).toContain('GetNextCACert');
    const announced = await before.handle(new Request(`${url}?operation=GetNextCACert`));
    const message = verifyCms(new Uint8Array(await announced.arrayBuffer()));
    expect(fingerprintSha256(message.signer)).toBe(fingerprintSha256(first.certificate));
    const [next] = parseSignedData(message.content).certificates;
    expect(fingerprintSha256(next!)).toBe(fingerprintSha256(second.certificate));

    const challenge = store.createChallenge({ reference: 'device' });
    const base = { url, clock, subject: 'CN=device' };
    const device = await scepEnrol({ ...base, fetch: before.handle, challenge });

    const set = createCaSet({ current: await openCa({ ...second, clock }), earlier: [old], clock });
    const after = serverOf(set);
    expect(set.verify(device.certificate).role).toBe('earlier');
    time = now + 100 * day;
    const renewed = await scepEnrol({ ...base, fetch: after.handle, renew: device });
    expect(set.verify(renewed.certificate).role).toBe('current');
    expect(readCertificate(renewed.certificate).subject).toBe('CN=device');
    // Once the earlier one is gone from the set, so are its certificates.
    const later = serverOf(createCaSet({ current: await openCa({ ...second, clock }), clock }));
    await expect(scepEnrol({ ...base, fetch: later.handle, renew: device })).rejects.toMatchObject({
      code: 'pki.scep.failed',
    });
    time = now;
  });

  oracle('openssl', 'is what openssl verifies with, too', async () => {
    const [a, b] = await Promise.all([first, second].map((item) => openCa({ ...item, clock: Date.now })));
    const set = createCaSet({ current: b!, earlier: [a!], clock: Date.now });
    const { publicKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const bundle = set.anchors.map((der) => pemFile('anchor.pem', der));
    for (const ca of [a!, b!]) {
      const certificate = await ca.issue({ publicKey, subject: 'CN=d', template: 'device', validityDays: 100 });
      const files = bundle.flatMap((path) => ['-trusted', path]);
      const said = await openssl(['verify', ...files, pemFile('device.pem', certificate)]);
      expect(said.toString()).toContain('OK');
    }
  });
});

describe('rollover as a plan', () => {
  it('prepares and promotes before certificates are cut short', () => {
    const at = (days: number) => rolloverPlan(first.certificate, now + days * day, { leafDays: 300, noticeDays: 50 });
    expect(at(0).action).toBe('none');
    expect(at(649).action).toBe('none');
    expect(at(651).action).toBe('prepare');
    expect(at(701).action).toBe('promote');
    expect(at(2000).action).toBe('promote');
    const { prepareAt, promoteAt, endsAt } = at(0);
    expect(endsAt - promoteAt).toBe(300 * day);
    expect(promoteAt - prepareAt).toBe(50 * day);
    // An authority that lives shorter than what it issues is due from its first day.
    expect(rolloverPlan(first.certificate, now, { leafDays: 5000 }).action).toBe('promote');
  });

  it('lets an authority go once nobody needs it', () => {
    const used = new Map([[fingerprintSha256(first.certificate), 3]]);
    const inUse = (fingerprint: string): number => used.get(fingerprint) ?? 0;
    const earlier = [first, second];
    expect(retirableCas(earlier, { now, inUse })).toEqual([second]);
    expect(retirableCas(earlier, { now: now + 1020 * day, inUse })).toEqual([second]);
    expect(retirableCas(earlier, { now: now + 1031 * day, inUse })).toEqual(earlier);
  });
});
