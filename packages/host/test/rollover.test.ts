// Changing the authority: announced, promoted, and no device has to enrol again. openssl checks what the host says.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createEngine, createMemoryStore, type Store } from '@espalier/core';
import { fromPem, readCertificate, scepEnrol, signCms, toPem, verifyCms } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import { describe, expect, it, type TestContext } from 'vitest';
import { createHost, type DataFolderOptions, openDataFolder } from '../src/index.ts';
import { parseServerArguments } from '../src/node.ts';
import { folder, need, put, run } from './tools.ts';
import { messages, ORIGIN, START, TOPIC, testClock } from './world.ts';

const clock = testClock();
const attime = ['-attime', String(START / 1000)];
type Identity = Awaited<ReturnType<typeof scepEnrol>>;

const idOf = (certificate: Uint8Array): string => readCertificate(certificate).subjectKeyIdentifier!;
const serialOf = (identity: Identity): string => readCertificate(identity.certificate).serialNumber.toUpperCase();

/** A server on this folder and store, as a restart would make it. */
async function start(dir: string, store: Store, rollover?: DataFolderOptions['rollover']) {
  const data = await openDataFolder(dir, {
    ...{ clock, publicUrl: ORIGIN, organisation: 'Example', lockWaitMs: 0 },
    ...{ revocationUrl: 'http://mdm.example.com', ...(rollover === undefined ? {} : { rollover }) },
  });
  await data.close();
  const engine = createEngine({ store, keys: data.keys, clock });
  const host = createHost({
    ...{ engine, ca: data.ca, rollover: data.rollover, publicUrl: ORIGIN },
    identity: { anchors: [data.ca.certificate] },
    profile: { organisation: 'Example', topic: TOPIC, sign: data.signProfile },
    adminTokens: [data.adminTokenHash],
  });
  const fetch = (input: string | URL | Request, init?: RequestInit) => host.fetch(new Request(input, init));
  const bytes = async (path: string, init?: RequestInit) => {
    const answer = await fetch(ORIGIN + path, init);
    expect([path, answer.status]).toEqual([path, 200]);
    return new Uint8Array(await answer.arrayBuffer());
  };
  const scep = { url: `${ORIGIN}/scep`, fetch, subject: 'CN=device', clock };
  return {
    ...{ data, engine, bytes },
    async authorities(token: string, remove?: string) {
      const [method, path] = remove === undefined ? ['GET', ''] : ['DELETE', `/${remove}`];
      const init = { method, headers: { authorization: `Bearer ${token}` } };
      const answer = await fetch(`${ORIGIN}/api/v1/authorities${path}`, init);
      return { status: answer.status, body: answer.status === 204 ? null : ((await answer.json()) as unknown) };
    },
    enrol: async () => scepEnrol({ ...scep, challenge: (await engine.enrolling.challenge()).challenge }),
    renew: (identity: Identity) => scepEnrol({ ...scep, renew: identity }),
    /** Sends one message as the device does; its status. */
    async say(identity: Identity, path: string, message: PlistInput) {
      const body = encodeXml(message);
      const signature = signCms(body, { ...identity, detached: true });
      const headers = { 'mdm-signature': Buffer.from(signature).toString('base64') };
      return (await fetch(ORIGIN + path, { method: 'PUT', headers, body: body as Uint8Array<ArrayBuffer> })).status;
    },
  };
}

type Server = Awaited<ReturnType<typeof start>>;

async function checkIn(to: Server, identity: Identity, serial: string): Promise<string> {
  expect(await to.say(identity, '/mdm/checkin', messages.authenticate(serial))).toBe(200);
  expect(await to.say(identity, '/mdm/checkin', messages.tokenUpdate(serial))).toBe(200);
  return serial;
}

const idle = (UDID: string): PlistDict => ({ UDID, Status: 'Idle' });

/** Whether openssl finds the certificate to be issued by this root. */
function verifies(context: TestContext, root: Uint8Array, certificate: Uint8Array): boolean {
  const dir = folder(context);
  const ca = put(dir, 'root.pem', toPem(root));
  return run('openssl', ['verify', '-CAfile', ca, ...attime, put(dir, 'c.pem', toPem(certificate))]).status === 0;
}

describe('a change of the authority', () => {
  it('is announced, carried out, and survived by devices that enrolled before', async (context) => {
    need(context, 'openssl');
    const dir = join(folder(context), 'data');
    const out = folder(context);
    const store = createMemoryStore();
    const before = await start(dir, store);
    const old = before.data.ca.certificate;
    const token = before.data.adminToken!;
    const device = await before.enrol();
    const udid = await checkIn(before, device, 'S1');

    // Announced: by SCEP, signed by the authority in force, and in profiles.
    const notice = await start(dir, store, 'prepare');
    expect(notice.data.ca.certificate).toEqual(old);
    const next = notice.data.rollover.next!.certificate;
    expect(Buffer.from(await notice.bytes('/scep?operation=GetCACaps')).toString()).toContain('GetNextCACert');
    const signed = put(out, 'next.p7', await notice.bytes('/scep?operation=GetNextCACert'));
    const ca = put(out, 'old.pem', toPem(old));
    const cms = ['cms', '-verify', '-inform', 'DER', '-in', signed, '-CAfile', ca, ...attime, '-purpose', 'any'];
    expect(run('openssl', [...cms, '-binary', '-out', `${out}/next.p7c`]).status).toBe(0);
    const listed = run('openssl', ['pkcs7', '-inform', 'DER', '-in', `${out}/next.p7c`, '-print_certs']);
    expect(new Uint8Array(fromPem(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/.exec(listed.stdout)![0]))).toEqual(
      new Uint8Array(next),
    );
    expect(readCertificate(next).subject).toBe('CN=Example root 2,O=Example');
    expect((await notice.authorities(token)).body).toMatchObject([
      { id: idOf(old), role: 'current', inUse: 1, action: 'none' },
      { id: idOf(next), role: 'next', inUse: 0, action: 'none' },
    ]);
    const invitation = await notice.engine.enrolling.invite();
    const profile = decodeDict(verifyCms(await notice.bytes(`/enrol/${invitation.token}`)).content);
    const roots = (profile['PayloadContent'] as PlistDict[]).filter(
      (item) => item['PayloadType'] === 'com.apple.security.root',
    );
    expect(roots.map((item) => Buffer.from(item['PayloadContent'] as Uint8Array))).toEqual(
      [old, next].map((der) => Buffer.from(der)),
    );

    // Carried out: new certificates come from the new one, and what the old one issued still opens the door.
    const after = await start(dir, store, 'promote');
    expect(after.data.ca.certificate).toEqual(next);
    const young = await after.enrol();
    const youngUdid = await checkIn(after, young, 'S2');
    expect(verifies(context, next, young.certificate)).toBe(true);
    expect(verifies(context, old, young.certificate)).toBe(false);
    expect(await after.say(device, '/mdm/connect', idle(udid))).toBe(200);
    // Devices that have not had the new root yet still trust the server.
    expect(verifies(context, old, fromPem(after.data.tls.cert))).toBe(true);
    expect(readFileSync(join(dir, 'ca.pem'), 'utf8')).toBe(toPem(old) + toPem(next));

    // Its certificates are in use: it cannot go yet, and neither can any other.
    expect(await after.authorities(token, idOf(old))).toMatchObject({ status: 409, body: { code: 'host.ca.in_use' } });
    expect(await after.authorities(token, idOf(next))).toMatchObject({ status: 404 });

    // The device renews: the new certificate is the new authority's, and takes the place of the old one.
    const renewed = await after.renew(device);
    expect(verifies(context, next, renewed.certificate)).toBe(true);
    expect(await after.say(renewed, '/mdm/connect', idle(udid))).toBe(200);
    expect(await after.say(device, '/mdm/connect', idle(udid))).not.toBe(200);

    // Each authority tells of its own revocations.
    await after.engine.certificates.revoke(readCertificate(device.certificate).fingerprintSha256, 'superseded');
    await after.engine.certificates.revoke(readCertificate(young.certificate).fingerprintSha256, 'keyCompromise');
    expect(await after.say(young, '/mdm/connect', idle(youngUdid))).not.toBe(200);
    for (const [root, revoked, other] of [
      [old, device, young],
      [next, young, device],
    ] as const) {
      const own = put(out, 'ca.pem', toPem(root));
      const { stdout } = run('openssl', ['x509', '-noout', '-text'], toPem(revoked.certificate));
      expect(stdout).toContain(`URI:http://mdm.example.com/ca.crl/${idOf(root)}\n`);
      expect(stdout).toContain(`CA Issuers - URI:http://mdm.example.com/ca.crt/${idOf(root)}\n`);
      expect(await after.bytes(`/ca.crt/${idOf(root)}`)).toEqual(new Uint8Array(root));
      const crl = put(out, 'ca.crl', await after.bytes(`/ca.crl/${idOf(root)}`));
      const read = run('openssl', ['crl', '-inform', 'DER', '-in', crl, '-CAfile', own, '-noout', '-text']);
      expect(read.stderr).toContain('verify OK');
      expect(read.stdout).toContain(serialOf(revoked));
      expect(read.stdout).not.toContain(serialOf(other));

      const asked = ['-issuer', own, '-cert', put(out, 'asked.pem', toPem(revoked.certificate)), '-no_nonce'];
      run('openssl', ['ocsp', ...asked, '-reqout', `${out}/request`]);
      const headers = { 'content-type': 'application/ocsp-request' };
      const body = readFileSync(`${out}/request`);
      const told = put(out, 'response', await after.bytes('/ocsp', { method: 'POST', headers, body }));
      const ocsp = run('openssl', ['ocsp', ...asked, '-respin', told, '-CAfile', own, ...attime]);
      expect(ocsp.stderr).toContain('Response verify OK');
      // It is not asked at the test's time: openssl calls the answer old.
      expect(ocsp.stdout).toMatch(/(?:^|: )revoked$/m);
    }
    expect(await after.bytes('/ca.crl')).toEqual(await after.bytes(`/ca.crl/${idOf(next)}`));

    // Nobody needs the old one any more: it goes, and is trusted until the next start.
    expect((await after.authorities(token)).body).toMatchObject([
      { id: idOf(next), role: 'current', action: 'none' },
      { id: idOf(old), role: 'earlier', inUse: 0, action: 'retire', subject: 'CN=Example root,O=Example' },
    ]);
    expect((await after.authorities(token, idOf(old))).status).toBe(204);
    expect((await after.authorities(token)).body).toMatchObject([{ id: idOf(next) }]);
    expect((await after.authorities(token, idOf(old))).status).toBe(404);
    const last = await start(dir, store);
    expect(last.data.rollover.earlier).toEqual([]);
    expect(verifies(context, next, fromPem(last.data.tls.cert))).toBe(true);
    expect(await last.say(renewed, '/mdm/connect', idle(udid))).toBe(200);
    expect(await last.say(device, '/mdm/connect', idle(udid))).toBe(401);
  }, 60_000);

  it('goes on where it was cut off, and is done once however often it is asked for', async (context) => {
    const dir = join(folder(context), 'data');
    const file = (name: string) => join(dir, name);
    const clock = testClock();
    const open = async (rollover?: DataFolderOptions['rollover']) => {
      const data = await openDataFolder(dir, { clock, lockWaitMs: 0, ...(rollover === undefined ? {} : { rollover }) });
      await data.close();
      const { ca, rollover: around } = data;
      return [ca.certificate, around.next?.certificate ?? null, around.earlier.map(({ certificate }) => certificate)];
    };
    const [first] = await open();
    await expect(open('promote')).rejects.toMatchObject({ code: 'host.data.no_next_ca', kind: 'conflict' });
    clock.advance(365 * 86_400_000);
    const [, second] = await open('prepare');
    expect(await open('prepare')).toEqual([first, second, []]);
    const kept = { ca: readFileSync(file('ca.json')), next: readFileSync(file('ca-next.json')) };
    const done = [second, null, [first]];
    expect(await open('promote')).toEqual(done);
    expect(await open('promote')).toEqual(done);
    expect(await open()).toEqual(done);

    // Stopped before the last step: the one that was promoted is no longer the next one.
    writeFileSync(file('ca-next.json'), kept.next);
    expect(await open()).toEqual(done);
    expect(existsSync(file('ca-next.json'))).toBe(false);
    // Stopped after the first step: the old one issues, and is not its own predecessor.
    writeFileSync(file('ca-next.json'), kept.next);
    writeFileSync(file('ca.json'), kept.ca);
    expect(await open()).toEqual([first, second, []]);
    expect(await open('promote')).toEqual(done);

    // The old authority leaves a month after its end.
    const end = readCertificate(first as Uint8Array).notAfter.getTime();
    clock.advance(end - clock.now() + 29 * 86_400_000);
    expect(await open()).toEqual(done);
    clock.advance(2 * 86_400_000);
    expect((await open())[2]).toEqual([]);
  }, 60_000);

  it('is asked for with flags', () => {
    expect(parseServerArguments(['--prepare-ca'], {})).toMatchObject({ rollover: 'prepare' });
    expect(parseServerArguments(['--promote-ca'], {})).toMatchObject({ rollover: 'promote' });
    expect(parseServerArguments([], {})).not.toHaveProperty('rollover');
  });
});
