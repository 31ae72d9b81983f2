// SCEP challenges that somebody else judges: asked for what the store does not know, once, also when the authority takes its time.
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateAuthority,
  createMemoryScepStore,
  createScepServer,
  generateKeyPair,
  getScepServerInfo,
  PkiError,
  prepareScepRequest,
  readCertificate,
  type ScepDecision,
  scepEnrol,
  sendScepRequest,
} from '../src/index.ts';
import { clock, testCa } from './support.ts';

let ca: CertificateAuthority;
let key: Uint8Array;
beforeAll(async () => {
  ({ ca } = await testCa());
  key = (await generateKeyPair({ type: 'rsa', bits: 2048 })).privateKey;
});

function setUp(judge: (challenge: string) => ScepDecision, behind: CertificateAuthority = ca) {
  const asked: string[] = [];
  const store = createMemoryScepStore({ clock });
  const server = createScepServer({
    ...{ ca: behind, store, clock },
    async delegate({ csr }) {
      asked.push(csr.challengePassword ?? '');
      return judge(csr.challengePassword ?? '');
    },
  });
  const base = { url: 'http://scep.test/', fetch: (request: Request) => server.handle(request), clock, key };
  return { asked, store, base };
}

const issue: ScepDecision = { decision: 'issue', grant: { reference: 'theirs', subject: 'CN=theirs' } };

describe('a challenge that somebody else judges', () => {
  it('is one that the store does not know', async () => {
    const { asked, store, base } = setUp((challenge) => (challenge === 'theirs' ? issue : { decision: 'refuse' }));
    const challenge = store.createChallenge({ reference: 'ours', subject: 'CN=ours' });
    const own = await scepEnrol({ ...base, challenge, subject: 'CN=asked' });
    expect(readCertificate(own.certificate).subject).toBe('CN=ours');
    const other = await scepEnrol({ ...base, challenge: 'theirs', subject: 'CN=asked' });
    expect(readCertificate(other.certificate).subject).toBe('CN=theirs');
    const failed = { code: 'pki.scep.failed' };
    await expect(scepEnrol({ ...base, challenge: 'wrong', subject: 'CN=asked' })).rejects.toMatchObject(failed);
    await expect(scepEnrol({ ...base, subject: 'CN=asked' })).rejects.toMatchObject(failed);
    expect(asked).toEqual(['theirs', 'wrong']);
  });

  it('is judged once: the same request again gets the same certificate', async () => {
    const { asked, store, base } = setUp(() => issue);
    const server = await getScepServerInfo(base);
    const request = await prepareScepRequest({ server, subject: 'CN=x', challenge: 'theirs', privateKey: key, clock });
    const answers = [await sendScepRequest(base, server, request), await sendScepRequest(base, server, request)];
    expect(answers.map(({ status }) => status)).toEqual(['issued', 'issued']);
    expect([asked.length, store.issued().length]).toEqual([1, 1]);
  });

  it('waits with its request for an authority that takes its time, polled or sent again', async () => {
    for (const again of ['poll', 'send'] as const) {
      let ready = false;
      const slow: CertificateAuthority = {
        ...ca,
        async issue(request) {
          if (ready) return await ca.issue(request);
          throw new PkiError('pki.ca.pending', 'wait', { kind: 'unavailable' });
        },
      };
      const { asked, base } = setUp(() => issue, slow);
      const server = await getScepServerInfo(base);
      const request = await prepareScepRequest({
        server,
        subject: 'CN=x',
        challenge: 'theirs',
        privateKey: key,
        clock,
      });
      expect((await sendScepRequest(base, server, request)).status).toBe('pending');
      ready = true;
      const next = again === 'poll' ? await request.poll() : request;
      expect((await sendScepRequest(base, server, next)).status).toBe('issued');
      expect(asked).toEqual(['theirs']);
    }
  });
});
