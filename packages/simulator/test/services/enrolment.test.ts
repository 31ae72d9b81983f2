// The simulated device enrolment service by itself: signatures, sessions, profiles, a port.
import { generateKeyPairSync } from 'node:crypto';
import { createRootCa } from '@espalier/pki';
import { describe, expect, it } from 'vitest';
import { createSimulatedBusinessApi, createSimulatedEnrolmentService, listenService } from '../../src/index.ts';
import { profileProblem } from '../../src/services/enrolment/profile-check.ts';
import { checkSignature } from '../../src/services/enrolment/signature.ts';

const example = {
  consumerKey: 'dpf43f3p2l4k3l03',
  consumerSecret: 'kd94hf93k423kf44',
  accessToken: 'nnch734d00sl2jdk',
  accessSecret: 'pfkkdhi9sl3r4s00',
  expires: Number.POSITIVE_INFINITY,
};
const at = 137_131_202_000;

function request(change: (header: string) => string = (header) => header): Request {
  const header = [
    'OAuth realm="Photos"',
    'oauth_consumer_key="dpf43f3p2l4k3l03"',
    'oauth_token="nnch734d00sl2jdk"',
    'oauth_signature_method="HMAC-SHA1"',
    'oauth_timestamp="137131202"',
    'oauth_nonce="chapoH"',
    'oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"',
  ].join(', ');
  const url = 'http://photos.example.net/photos?file=vacation.jpg&size=original';
  return new Request(url, { headers: { Authorization: change(header) } });
}

describe('signatures', () => {
  it('accept the example of RFC 5849, 1.2, once', () => {
    const nonces = new Set<string>();
    expect(checkSignature(request(), example, nonces, at)).toBeUndefined();
    expect(checkSignature(request(), example, nonces, at)).toEqual({ status: 401, reason: 'nonce_used' });
  });

  it('refuse what is changed, missing or late', () => {
    const check = (change: (header: string) => string, server = example, now = at): string | undefined =>
      checkSignature(request(change), server, new Set(), now)?.reason;
    expect(check((header) => header.replace('chapoH', 'chapoI'))).toBe('signature_invalid');
    expect(check((header) => header.replace('dpf43', 'dpf44'))).toBe('consumer_key_unknown');
    expect(check((header) => header.replace('nnch', 'nnci'))).toBe('token_rejected');
    expect(check((header) => header.replace('HMAC-SHA1', 'PLAINTEXT'))).toBe('signature_method_rejected');
    expect(check((header) => header.replace(/oauth_nonce="\w+", /, ''))).toBe('parameter_absent');
    expect(check((header) => `${header}, oauth_nonce="x"`)).toBe('parameter_rejected');
    expect(check(() => 'Basic abc')).toBe('parameter_absent');
    expect(check((header) => header, example, at + 301_000)).toBe('timestamp_refused');
    expect(check((header) => header, { ...example, expires: at })).toBe('token_expired');
    expect(check((header) => header, { ...example, accessSecret: 'other' })).toBe('signature_invalid');
  });
});

describe('profiles', () => {
  it('are refused with Apple’s errors', () => {
    const good = { profile_name: 'A', url: 'https://mdm.example.com/enrol' };
    const problem = (profile: object): string | undefined => profileProblem(new Map(Object.entries(profile)));
    expect(problem({ ...good, org_magic: 'm', department: 'd', language: 'en', region: 'GB' })).toBeUndefined();
    expect(problem({ url: good.url })).toBe('CONFIG_NAME_REQUIRED');
    expect(problem({ ...good, profile_name: 'x'.repeat(126) })).toBe('CONFIG_NAME_INVALID');
    expect(problem({ profile_name: 'A' })).toBe('CONFIG_URL_REQUIRED');
    expect(problem({ ...good, url: 'nowhere' })).toBe('CONFIG_URL_INVALID');
    expect(problem({ ...good, department: '' })).toBe('DEPARTMENT_INVALID');
    expect(problem({ ...good, org_magic: 'x'.repeat(257) })).toBe('MAGIC_INVALID');
    expect(problem({ ...good, support_phone_number: 'x'.repeat(51) })).toBe('SUPPORT_PHONE_INVALID');
    expect(problem({ ...good, support_email_address: 'x'.repeat(251) })).toBe('SUPPORT_EMAIL_INVALID');
    expect(problem({ ...good, is_mdm_removable: false })).toBe('FLAGS_INVALID');
    expect(problem({ ...good, is_mdm_removable: false, is_supervised: true })).toBeUndefined();
    expect(problem({ ...good, language: 'English' })).toBe('LOCALE_INVALID');
    expect(problem({ ...good, region: 'gb' })).toBe('LOCALE_INVALID');
  });
});

describe('the service', () => {
  it('answers on a port, and knows only sessions that it started', async () => {
    const apple = createSimulatedEnrolmentService({ count: 1 });
    const { origin, close } = await listenService(apple.fetch);
    try {
      const ask = async (path: string, headers: Record<string, string> = {}): Promise<[number, string]> => {
        const response = await fetch(`${origin}${path}`, { headers: { 'User-Agent': 'test', ...headers } });
        return [response.status, await response.text()];
      };
      expect(await ask('/account')).toEqual([403, 'FORBIDDEN']);
      expect(await ask('/account', { 'X-ADM-Auth-Session': 'mine' })).toEqual([403, 'FORBIDDEN']);
      expect(await ask('/session')).toEqual([401, 'consumer_key_unknown']);
      const { certificate } = await createRootCa({ subject: 'CN=x', key: { type: 'rsa', bits: 2048 }, clock: Date });
      apple.downloadToken(certificate);
      expect(await ask('/session')).toEqual([400, 'parameter_absent']);
    } finally {
      await close();
    }
  });

  it('gives a device its profile, and keeps what became of it', () => {
    const apple = createSimulatedEnrolmentService({ devices: [{ serialNumber: 'MINE', kind: 'iPhone' }], count: 3 });
    expect(apple.organisation.size).toBe(4);
    expect(apple.pushed('MINE')).toBeUndefined();
    expect(apple.look('MINE')).toMatchObject({ kind: 'iPhone', status: 'empty' });
    expect(apple.look('STRANGER')).toBeUndefined();
    expect(apple.add(2)).toHaveLength(2);
    expect(apple.organisation.size).toBe(6);
  });

  it('may begin without devices, which the portal’s API assigns', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const apple = createSimulatedEnrolmentService({ count: 4, assigned: false });
    const serials = [0, 1, 2, 3].map((number) => apple.organisation.device(number).serialNumber);
    const here = (): boolean[] => serials.map((serial) => apple.look(serial) !== undefined);
    expect(here()).toEqual([false, false, false, false]);
    const portal = createSimulatedBusinessApi({
      publicKey: publicKey.export({ type: 'spki', format: 'der' }),
      organisation: apple.organisation,
      onAssigned: (numbers, server) => (server === null ? apple.remove(numbers) : apple.restore(numbers)),
    });
    expect(portal.organisation.find(serials[2]!)).toBe(2);
    apple.restore([serials[1]!, serials[2]!]);
    expect(here()).toEqual([false, true, true, false]);
    apple.remove([serials[1]!]);
    expect(here()).toEqual([false, false, true, false]);
    expect(apple.add(1)).toHaveLength(1);
    expect(apple.look(apple.organisation.device(4).serialNumber)).toBeDefined();
  });

  it('has other serial numbers for another seed, the same for the same', () => {
    const serials = (seed: number): string[] => {
      const { organisation } = createSimulatedEnrolmentService({ count: 5000, seed });
      return Array.from({ length: 5000 }, (_, index) => organisation.device(index).serialNumber);
    };
    expect(serials(1)).toEqual(serials(1));
    expect(new Set([...serials(1), ...serials(2)]).size).toBe(10_000);
  });
});
