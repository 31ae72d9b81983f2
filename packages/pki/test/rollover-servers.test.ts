// Servers after the authority changed: what earlier ones issued is still found, with the chain and the list of its own.
import { beforeAll, describe, expect, it } from 'vitest';
import { parseSignedData } from '../src/cms/signed-read.ts';
import { integer, sequence } from '../src/der/writer.ts';
import {
  type CertificateAuthority,
  createAcmeServer,
  createCaSet,
  createCrl,
  createMemoryScepStore,
  createRootCa,
  createScepServer,
  decryptCms,
  encryptCms,
  fromPem,
  generateKeyPair,
  type Identity,
  localSigner,
  openCa,
  openScepProxy,
  readAuthorityChain,
  readCertificate,
  requestIntermediateCa,
  scepEnrol,
  toPem,
} from '../src/index.ts';
import { encodeScepMessage, failInfos, parseScepMessage } from '../src/scep/message.ts';
import { baseUrl, enrol, fixture } from './acme-support.ts';
import { attime, clock, codeOf, codeOfAsync, now, openssl, oracle, pemFile, run, tempFile } from './support.ts';

const url = 'http://scep.test/scep';
type Holder = Pick<Awaited<ReturnType<typeof scepEnrol>>, 'certificate' | 'privateKey'>;
let old: Identity;
let current: Identity;
let oldCa: CertificateAuthority;
let currentCa: CertificateAuthority;
beforeAll(async () => {
  // Of one name, so that nothing but the signature tells them apart.
  const make = () => createRootCa({ subject: 'CN=Device CA,O=Example', key: { type: 'rsa', bits: 2048 }, clock });
  [old, current] = await Promise.all([make(), make()]);
  [oldCa, currentCa] = await Promise.all([openCa({ ...old, clock }), openCa({ ...current, clock })]);
});

/** A SCEP server after the change, with a device of each authority. */
async function scepAfter() {
  const store = createMemoryScepStore({ clock });
  const device = async (handle: (request: Request) => Promise<Response>) => {
    const challenge = store.createChallenge({ reference: 'device' });
    return scepEnrol({ url, clock, subject: 'CN=device', fetch: handle, challenge });
  };
  const earlierDevice = await device(createScepServer({ ca: oldCa, store, clock }).handle);
  const crlOf = async (authority: Identity, revoked: Holder) =>
    createCrl({
      ...{ certificate: authority.certificate, signer: localSigner(authority.privateKey), now, crlNumber: 1 },
      revoked: [{ serialNumber: readCertificate(revoked.certificate).serialNumber, revokedAt: now, notAfter: now * 2 }],
    });
  const set = createCaSet({ current: currentCa, earlier: [oldCa], clock });
  const { ca, earlier } = set.scep;
  const server = createScepServer({
    ...{ ca, store, clock, crl: () => crlOf(current, youngDevice) },
    earlier: earlier.map((one) => ({ ...one, crl: () => crlOf(old, earlierDevice) })),
  });
  const youngDevice: Holder = await device(server.handle);

  /** Asks GetCert (21) or GetCRL (22) about a certificate; what comes, or the failInfo. */
  async function ask(messageType: 21 | 22, as: Holder, about: { issuerDer: Uint8Array; serialNumber: string }) {
    const content = sequence(about.issuerDer, integer(Buffer.from(about.serialNumber, 'hex')));
    const senderNonce = Buffer.alloc(16, 1);
    const message = await encodeScepMessage({
      ...{ messageType, transactionId: 'asked', senderNonce, hash: 'sha256', certificate: as.certificate },
      envelope: encryptCms(content, { recipients: [current.certificate], cipher: 'aes-128-cbc' }),
      signer: localSigner(as.privateKey),
    });
    const answered = await server.handle(
      new Request(`${url}?operation=PKIOperation`, { method: 'POST', body: message }),
    );
    const reply = parseScepMessage(new Uint8Array(await answered.arrayBuffer()), 1024 * 1024, [current.certificate]);
    if (!reply.envelope) return failInfos[reply.failInfo ?? 2]!;
    const opened = decryptCms(reply.envelope, as);
    const { certificates, crls } = parseSignedData(opened);
    return new Uint8Array((messageType === 21 ? certificates[0] : crls[0])!);
  }
  return { ask, earlierDevice, youngDevice };
}

describe('a SCEP server after the change of its authority', () => {
  it('finds certificates of the earlier authority, also for its devices', async () => {
    const { ask, earlierDevice, youngDevice } = await scepAfter();
    for (const as of [earlierDevice, youngDevice]) {
      for (const device of [earlierDevice, youngDevice]) {
        expect(await ask(21, as, readCertificate(device.certificate))).toEqual(new Uint8Array(device.certificate));
      }
    }
    const { issuerDer } = readCertificate(youngDevice.certificate);
    expect(await ask(21, earlierDevice, { issuerDer, serialNumber: '0123' })).toBe('badCertId');
    const stranger = await createRootCa({ subject: 'CN=Stranger', key: { type: 'rsa', bits: 2048 }, clock });
    const foreign = readCertificate(stranger.certificate);
    expect(await ask(21, earlierDevice, { issuerDer: foreign.subjectDer, serialNumber: '0123' })).toBe('badCertId');
    expect(await ask(22, earlierDevice, { issuerDer: foreign.subjectDer, serialNumber: '0123' })).toBe('badCertId');
    expect(await ask(21, stranger, readCertificate(youngDevice.certificate))).toBe('badRequest');
  });

  it('opens what a client encrypted to the earlier authority, and answers in its name', async () => {
    const store = createMemoryScepStore({ clock });
    const before = createScepServer({ ca: oldCa, store, clock });
    /** Enrols at a server that changed after the client had asked for the authority. */
    const late = async (signer: boolean) => {
      const { certificate } = old;
      const earlier = [{ certificate, ...(signer ? { signer: localSigner(old.privateKey) } : {}) }];
      const after = createScepServer({ ca: currentCa, store, clock, earlier });
      const handle = (request: Request): Promise<Response> =>
        (request.url.includes('operation=PKIOperation') ? after : before).handle(request);
      const challenge = store.createChallenge({ reference: 'device' });
      return await scepEnrol({ url, clock, subject: 'CN=late', fetch: handle, challenge });
    };
    const { certificate } = await late(true);
    const { authorityKeyIdentifier } = readCertificate(certificate);
    expect(authorityKeyIdentifier).toBe(readCertificate(current.certificate).subjectKeyIdentifier);
    expect(authorityKeyIdentifier).toBeDefined();
    // Without the key of the earlier authority nobody can read it, and nobody could answer.
    expect(await codeOfAsync(() => late(false))).toMatch(/^pki\./);
  });

  oracle('openssl', 'gives the list of the authority that issued what is asked about', async () => {
    const { ask, earlierDevice, youngDevice } = await scepAfter();
    for (const [root, other, device] of [
      [old, current, earlierDevice],
      [current, old, youngDevice],
    ] as const) {
      const crl = tempFile('ca.crl', (await ask(22, earlierDevice, readCertificate(device.certificate))) as Uint8Array);
      const asked = async (by: Uint8Array) =>
        run('openssl', ['crl', '-inform', 'DER', '-in', crl, '-noout', '-text', '-CAfile', pemFile('ca.pem', by)]);
      const [right, wrong] = [await asked(root.certificate), await asked(other.certificate)];
      expect(String(right.stderr)).toContain('verify OK');
      expect(String(wrong.stderr)).not.toContain('verify OK');
      expect(String(right.stdout)).toContain(readCertificate(device.certificate).serialNumber.toUpperCase());
    }
  });
});

describe('an ACME server after the change of its authority', () => {
  oracle('openssl', 'hands a certificate out with the chain that issued it', async () => {
    const root = await createRootCa({ subject: 'CN=Root', key: { type: 'ec', curve: 'P-256' }, clock });
    const rootCa = await openCa({ ...root, clock });
    const { csr, privateKey } = await requestIntermediateCa({
      subject: 'CN=First,O=Example',
      key: { type: 'ec', curve: 'P-256' },
    });
    const certificate = Uint8Array.from(await rootCa.issue({ csr, template: 'intermediate-ca' }));
    const first = await openCa({ certificate, privateKey, chain: [root.certificate], clock });
    const before = await fixture({ ca: first });
    const { finalized, client } = await enrol(before, before.store.createIdentifier({ reference: 'r' }));
    expect(finalized.body.status).toBe('valid');
    const address: string = finalized.body.certificate;

    const options = { store: before.store, clock, baseUrl, attestation: { roots: [before.apple.root] } };
    const promoted = createAcmeServer({ ...options, ca: currentCa, earlier: [first] });
    Object.assign(client, { server: promoted, nonce: null });
    const { text } = await client.post(address, '');
    const chain = text
      .match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----/g)!
      .map((pem) => new Uint8Array(fromPem(pem)));
    expect(chain.slice(1)).toEqual([certificate, root.certificate].map((der) => new Uint8Array(der)));
    const [leaf, ...issuers] = chain.map((der, index) => pemFile(`c${index}.pem`, der));
    const verify = ['verify', ...attime(), '-CAfile', issuers[1]!, '-untrusted', issuers[0]!, leaf!];
    expect((await openssl(verify)).toString()).toContain('OK');

    const next = await enrol({ ...before, server: promoted }, before.store.createIdentifier({ reference: 'next' }));
    const young = await next.client.post(next.finalized.body.certificate, '');
    expect(young.text.endsWith(toPem(current.certificate))).toBe(true);

    // Where nobody knows the earlier authority any more, no wrong chain is handed out.
    Object.assign(client, { server: createAcmeServer({ ...options, ca: currentCa }), nonce: null });
    expect((await client.post(address, '')).text.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
  });
});

describe('the chain of an authority, uploaded', () => {
  it('is put in order, and is one chain of authorities alone', async () => {
    const root = await createRootCa({ subject: 'CN=Root', key: { type: 'ec', curve: 'P-256' }, clock });
    const ca = await openCa({ ...root, clock });
    const { csr, privateKey } = await requestIntermediateCa({
      subject: 'CN=Issuing',
      key: { type: 'rsa', bits: 2048 },
    });
    const issuing = Uint8Array.from(await ca.issue({ csr, template: 'intermediate-ca' }));
    const file = (...certificates: readonly Uint8Array[]) =>
      Buffer.from(certificates.map((der) => toPem(der)).join(''));
    const inOrder = [issuing, root.certificate].map((der) => Uint8Array.from(der));
    expect(readAuthorityChain(file(root.certificate, issuing))).toEqual(inOrder);
    expect(readAuthorityChain(file(...inOrder, root.certificate))).toEqual(inOrder);
    expect(readAuthorityChain(root.certificate)).toEqual([Uint8Array.from(root.certificate)]);
    const { publicKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const leaf = await ca.issue({ publicKey, subject: 'CN=d', template: 'device' });
    for (const bad of [
      file(...inOrder, old.certificate),
      file(...inOrder, leaf),
      file(old.certificate, current.certificate),
    ]) {
      expect(codeOf(() => readAuthorityChain(bad))).toBe('pki.ca.chain');
    }
    const key = Buffer.concat([file(...inOrder), Buffer.from(toPem(privateKey, 'PRIVATE KEY'))]);
    expect(codeOf(() => readAuthorityChain(key))).toBe('pki.file.private_key');

    // Exactly these are shown and trusted, though the server behind has sent no such thing.
    const server = createScepServer({
      ca: await openCa({ certificate: issuing, privateKey, chain: [], clock }),
      store: createMemoryScepStore({ clock }),
      clock,
    });
    const ra = await openCa({ ...old, clock });
    const pair = await generateKeyPair();
    const registrar = {
      certificate: Uint8Array.from(
        await ra.issue({ publicKey: pair.publicKey, subject: 'CN=ra', template: 'scep-ra' }),
      ),
      privateKey: pair.privateKey,
    };
    const open = (chain?: Uint8Array[]) =>
      openScepProxy({ url, fetch: server.handle, ra: registrar, clock, ...(chain === undefined ? {} : { chain }) });
    expect((await open(readAuthorityChain(file(root.certificate, issuing)))).chain).toEqual([
      Uint8Array.from(root.certificate),
    ]);
    expect((await open()).chain).toEqual([]);
    expect(await codeOfAsync(() => open([old.certificate]))).toBe('pki.ca.chain');
  });
});
