// Templates: what an authority puts into certificates, and subjects and names with variables.
import { beforeAll, describe, expect, it } from 'vitest';
import {
  certificateVariables,
  checkSanTemplates,
  checkSubjectTemplate,
  checkTemplateKey,
  clientTemplate,
  formatName,
  generateKeyPair,
  type Identity,
  identityVariables,
  maskIdentityVariables,
  microsoftSid,
  openCa,
  readCertificate,
  resolveSans,
  resolveSubject,
  sidSanTemplate,
  userSidExtensions,
} from '../src/index.ts';
import { clock, codeOf, codeOfAsync, now, openssl, oracle, pemFile, testCa } from './support.ts';

const day = 86_400_000;
const sid = 'S-1-5-21-3623811015-3361044348-30300820-1013';

describe('a client template', () => {
  let root: Identity;
  beforeAll(async () => {
    ({ root } = await testCa());
  });

  it('becomes what a certificate says', async () => {
    const ca = await openCa({ ...root, clock });
    const { publicKey } = await generateKeyPair();
    const issue = async (options: Parameters<typeof clientTemplate>[0]) =>
      readCertificate(await ca.issue({ publicKey, subject: 'CN=x', template: clientTemplate(options) }));
    const plain = await issue({});
    expect(plain.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(plain.keyUsage).toEqual(['digitalSignature', 'keyEncipherment']);
    expect(plain.notAfter.getTime()).toBe(now + 365 * day);
    const all = await issue({
      ...{ clientAuth: false, ipsec: true, smartCardLogon: true, customOids: ['1.2.840.1', '1.2.840.1'] },
      ...{ usage: 'signing', lifetimeDays: 61 },
    });
    expect(all.extendedKeyUsage).toEqual(['1.3.6.1.5.5.7.3.17', '1.3.6.1.4.1.311.20.2.2', '1.2.840.1']);
    expect(all.keyUsage).toEqual(['digitalSignature']);
    expect(all.notAfter.getTime()).toBe(now + 61 * day);
    expect((await issue({ usage: 'encryption', clientAuth: false })).extendedKeyUsage).toBeUndefined();
  });

  it('says which choice is wrong', () => {
    for (const [options, path] of [
      [{ lifetimeDays: 60 }, 'lifetimeDays'],
      [{ lifetimeDays: 40_000 }, 'lifetimeDays'],
      [{ minRsaBits: 512 }, 'minRsaBits'],
      [{ hash: 'sha1' as 'sha256' }, 'hash'],
      [{ usage: 'signature' as 'signing' }, 'usage'],
      [{ customOids: ['1.2', 'clientAuth'] }, 'customOids'],
    ] as const) {
      expect(() => clientTemplate(options)).toThrow(
        expect.objectContaining({ code: 'pki.template.invalid', at: { path } }),
      );
    }
  });

  it('is compared with the keys that an enrolment asks for', () => {
    const template = clientTemplate();
    for (const bits of [1024, 1536]) {
      expect(codeOf(() => checkTemplateKey(template, { type: 'rsa', bits }))).toBe('pki.template.key');
    }
    expect(codeOf(() => checkTemplateKey(template, { type: 'rsa', bits: 2048 }))).toBe('no error');
    expect(codeOf(() => checkTemplateKey(template, { type: 'ec', curve: 'P-256' }))).toBe('no error');
    const encryption = clientTemplate({ usage: 'encryption' });
    expect(codeOf(() => checkTemplateKey(encryption, { type: 'ec', curve: 'P-256' }))).toBe('pki.template.key');
  });

  it('stops issuing when the authority is near its end', async () => {
    const { root: short } = await testCa();
    const end = readCertificate(short.certificate).notAfter.getTime();
    const { publicKey } = await generateKeyPair();
    const issue = async (daysLeft: number, limitedByCa = true) => {
      const ca = await openCa({ ...short, clock: () => end - daysLeft * day });
      return ca.issue({ publicKey, subject: 'CN=x', template: clientTemplate({ limitedByCa }) });
    };
    expect(readCertificate(await issue(100)).notAfter.getTime()).toBe(end);
    expect(await codeOfAsync(() => issue(60))).toBe('pki.ca.ending');
    expect(await codeOfAsync(() => issue(100, false))).toBe('pki.ca.validity');
  });
});

describe('a subject template', () => {
  const values = {
    EMAIL: 'jo@example.com',
    DISPLAY_NAME: 'Doe, CN=admin+OU=x',
    DEVICE_SN: 'C02TEST1',
    USER_DN: 'CN=Jo Doe,OU=People,DC=example,DC=com',
    FIRST_NAME: '',
  };
  const options = { values, now, random: (size: number) => new Uint8Array(size).fill(0xab) };
  const resolve = (text: string, more = {}) => formatName(resolveSubject(text, { ...options, ...more }));

  it('is filled in for each device or user', () => {
    expect(resolve('CN=$EMAIL$,O=Company Name, Inc.')).toBe('CN=jo@example.com,O=Company Name\\, Inc.');
    expect(resolve('CN=www.example.com-$DEVICE_SN$')).toBe('CN=www.example.com-C02TEST1');
    expect(resolve('C=US, DC=com, DC=example, CN=$EMAIL$', { order: 'root-first' })).toBe(
      'CN=jo@example.com,DC=example,DC=com,C=US',
    );
    expect(resolve('CN=$RANDOM_16$,OU=$TIMESTAMP_MS$')).toBe(`CN=${'ab'.repeat(8)},OU=${now}`);
    expect(resolve('CN=$RANDOM_64$')).toBe(`CN=${'ab'.repeat(32)}`);
    expect(resolve('CN=$custom_one$', { custom: ['custom_one'], values: { custom_one: 'x' } })).toBe('CN=x');
  });

  it('lets no value add parts to the name', () => {
    const name = resolveSubject('CN=$DISPLAY_NAME$,O=Example', options);
    expect(name.map((rdn) => rdn.map(({ value }) => value))).toEqual([['Example'], ['Doe, CN=admin+OU=x']]);
    const hash = resolveSubject('CN=$EMAIL$', { ...options, values: { EMAIL: '#0500' } });
    expect(formatName(hash)).toBe('CN=\\#0500');
    for (const evil of ['hasOwnProperty', 'constructor', 'toString']) {
      const custom = [evil];
      expect(codeOf(() => resolveSubject(`CN=$${evil}$`, { ...options, custom }))).toBe('pki.variable.unresolved');
    }
  });

  it('turns a directory’s name around, which stands alone', () => {
    const [first] = resolveSubject('$USER_DN$', options);
    expect(first?.[0]?.value).toBe('com');
    expect(resolve(' $USER_DN$ ')).toBe(values.USER_DN);
    expect(codeOf(() => checkSubjectTemplate('CN=$USER_DN$'))).toBe('pki.variable.not_allowed');
  });

  it('is refused when it is saved, not when it is used', () => {
    const bad: [string, string][] = [
      ['', 'no error'],
      ['Company', 'pki.name.invalid'],
      ['CN=', 'pki.name.invalid'],
      ['XX=y', 'pki.name.invalid'],
      ['C=USA,CN=$EMAIL$', 'pki.name.invalid'],
      [`CN=${'x'.repeat(65)}`, 'pki.name.invalid'],
      ['CN=$NO_SUCH$', 'pki.variable.unknown'],
      ['CN=$CONFIG_UUID$', 'pki.variable.not_allowed'],
      [`CN=${'x'.repeat(5000)}`, 'pki.name.invalid'],
      ['C=$USER_CUSTOM1$', 'no error'],
    ];
    for (const [text, code] of bad)
      expect(
        codeOf(() => checkSubjectTemplate(text)),
        text.slice(0, 30),
      ).toBe(code);
    for (const name of certificateVariables.filter((item) => item !== 'CONFIG_UUID' && item !== 'USER_DN')) {
      expect(
        codeOf(() => checkSubjectTemplate(`CN=$${name}$`)),
        name,
      ).toBe('no error');
    }
  });

  it('fails with a reason where a value is missing or does not fit', () => {
    expect(() => resolveSubject('CN=$FIRST_NAME$', options)).toThrow(
      expect.objectContaining({ code: 'pki.variable.unresolved', at: { path: 'subject' } }),
    );
    expect(codeOf(() => resolve('CN=$USER_UPN$'))).toBe('pki.variable.unresolved');
    expect(codeOf(() => resolve('CN=$EMAIL$', { values: { EMAIL: 'x'.repeat(65) } }))).toBe('pki.name.invalid');
    expect(codeOf(() => resolve('C=$EMAIL$,CN=x'))).toBe('pki.name.invalid');
  });

  it('of a device identity tells nobody who it is', () => {
    const masked = maskIdentityVariables('CN=$EMAIL$,OU=$CONFIG_UUID$,O=$RANDOM_16$ $USER_ID$');
    expect(masked).toBe('CN=$RANDOM_32$,OU=$CONFIG_UUID$,O=$RANDOM_16$ $RANDOM_32$');
    expect(codeOf(() => checkSubjectTemplate(masked, { variables: identityVariables }))).toBe('no error');
    expect(codeOf(() => checkSubjectTemplate('CN=$EMAIL$', { variables: identityVariables }))).toBe(
      'pki.variable.not_allowed',
    );
  });
});

describe('alternative names with variables', () => {
  const values = {
    USER_UPN: 'jo@corp.example',
    USER_DN: 'CN=Jo,DC=example',
    EMAIL: 'jo@example.com',
    CONFIG_UUID: 'u-1',
  };
  const options = { values, now };

  it('are filled in, rows without a type left out', () => {
    const rows = [
      { type: 'upn', value: '$USER_UPN$' },
      { type: 'dn', value: '$USER_DN$' },
      { type: 'email', value: '$EMAIL$' },
      { type: 'uri', value: 'urn:uuid:$CONFIG_UUID$' },
      { type: 'none', value: '' },
    ] as const;
    expect(resolveSans(rows, options)).toEqual([
      { type: 'upn', value: 'jo@corp.example' },
      { type: 'dn', value: 'CN=Jo,DC=example' },
      { type: 'email', value: 'jo@example.com' },
      { type: 'uri', value: 'urn:uuid:u-1' },
    ]);
  });

  it('leave out the security identifier of a user without one, and nothing else', () => {
    expect(resolveSans([sidSanTemplate], options)).toEqual([]);
    expect(resolveSans([sidSanTemplate], { ...options, values: { USER_SID: sid } })).toEqual([
      { type: 'uri', value: `tag:microsoft.com,2022-09-14:sid:${sid}` },
    ]);
    expect(codeOf(() => resolveSans([{ type: 'dns', value: '$DEVICE_SN$.example' }], options))).toBe(
      'pki.variable.unresolved',
    );
  });

  it('are checked when they are saved', () => {
    const check = (type: string, value: string, maxRows = 4) =>
      codeOf(() => checkSanTemplates([{ type: type as 'dns', value }], { maxRows }));
    expect(check('dns', 'device.example')).toBe('no error');
    expect(check('dns', 'not a name')).toBe('pki.san.invalid');
    expect(check('dns', '')).toBe('pki.san.invalid');
    expect(check('ip', '10.0.0.1')).toBe('pki.san.invalid');
    expect(check('uri', '$NO_SUCH$')).toBe('pki.variable.unknown');
    expect(check('dns', 'a.example', 0)).toBe('pki.san.invalid');
    expect(codeOf(() => resolveSans([{ type: 'dns', value: '$EMAIL$' }], options))).toBe('pki.san.invalid');
  });
});

describe('the security identifier', () => {
  it('is an extension of its own, absent for users without one', () => {
    expect(userSidExtensions(null)).toEqual([]);
    expect(userSidExtensions('')).toEqual([]);
    expect(userSidExtensions(sid)).toEqual([microsoftSid(sid)]);
    expect(microsoftSid(sid).critical).toBe(false);
    for (const bad of ['', 'S-1', 'S-1-5-x', `${sid}\n`, 'jo']) {
      expect(
        codeOf(() => microsoftSid(bad)),
        bad,
      ).toBe('pki.sid.invalid');
    }
  });

  oracle('openssl', 'has the form that openssl shows', async () => {
    const { ca } = await testCa({ type: 'ec', curve: 'P-256' });
    const { publicKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const request = { publicKey, subject: 'CN=x', template: 'device', extensions: userSidExtensions(sid) } as const;
    const file = pemFile('sid.pem', await ca.issue(request));
    const text = (await openssl(['asn1parse', '-in', file])).toString();
    const at =
      /(\d+):d=5 .*?OCTET STRING +\[HEX DUMP\]:304006[^\n]*|1\.3\.6\.1\.4\.1\.311\.25\.2[\s\S]*?OCTET STRING/.exec(
        text,
      );
    expect(at).not.toBeNull();
    const [, dump] = /311\.25\.2\n[^\n]*\[HEX DUMP\]:([0-9A-F]+)/.exec(text)!;
    const parsed = (await openssl(['asn1parse', '-inform', 'DER'], Buffer.from(dump!, 'hex'))).toString();
    expect(parsed).toMatch(
      /SEQUENCE[\s\S]*cont \[ 0 \][\s\S]*OBJECT +:1\.3\.6\.1\.4\.1\.311\.25\.2\.1[\s\S]*OCTET STRING +:S-1-5-21/,
    );
  });
});
