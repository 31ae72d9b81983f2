// The data folder: made once, found again, closed to others, and clear about what is wrong with it.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyRing, masterKey } from '@espalier/core';
import { fromPem, generateKeyPair, readCertificate, verifyTrust } from '@espalier/pki';
import { describe, expect, it } from 'vitest';
import { type DataFolder, type DataFolderOptions, hashAdminToken, openDataFolder } from '../src/index.ts';
import { parseServerArguments } from '../src/node.ts';
import { folder, need, run } from './tools.ts';
import { START, testClock } from './world.ts';

const DAY = 86_400_000;

async function opened<T>(
  dir: string,
  options: DataFolderOptions,
  look: (data: Awaited<ReturnType<typeof openDataFolder>>) => T | Promise<T>,
) {
  const data = await openDataFolder(dir, { clock: testClock(), lockWaitMs: 0, ...options });
  try {
    return await look(data);
  } finally {
    await data.close();
  }
}

describe('a data folder', () => {
  it('is made on the first start and the same on the second; the token is shown once', async (context) => {
    const dir = join(folder(context), 'new', 'data');
    const first = await opened(dir, { organisation: 'Example' }, (data) => data);
    expect(first.adminToken).toMatch(/^espalier_admin_[\w-]{43}$/);
    expect(first.adminTokenHash).toBe(hashAdminToken(first.adminToken as string));
    const second = await opened(dir, {}, (data) => data);
    expect(second.adminToken).toBeNull();
    expect(second.adminTokenHash).toBe(first.adminTokenHash);
    expect(second.ca.certificate).toEqual(first.ca.certificate);
    expect(second.tls).toEqual(first.tls);
    expect(second.sessionSecret).toEqual(first.sessionSecret);
    expect(second.escrowIdentity).toEqual(first.escrowIdentity);
    expect(readCertificate(first.escrowIdentity.certificate)).toMatchObject({
      keyUsage: ['keyEncipherment', 'dataEncipherment'],
    });
    expect(second.keys.open(first.keys.seal(new Uint8Array([1]), ['a']), ['a'])).toEqual(new Uint8Array([1]));
    expect(readCertificate(first.ca.certificate).subject).toContain('Example');
    expect(readFileSync(join(dir, 'ca.pem'), 'utf8')).toContain('BEGIN CERTIFICATE');

    const third = await opened(dir, { newAdminToken: true }, (data) => data);
    expect(third.adminToken).not.toBeNull();
    expect(third.adminTokenHash).not.toBe(first.adminTokenHash);
  });

  it('puts the addresses of its revocations into devices’ certificates, where there are any', async (context) => {
    const dir = folder(context);
    const { publicKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const issued = (data: DataFolder) => data.ca.issue({ publicKey, subject: 'CN=device', template: 'device' });
    await opened(dir, { revocationUrl: 'http://mdm.example.com/' }, async (data) => {
      expect(readCertificate(await issued(data))).toMatchObject({
        crlUrls: [`http://mdm.example.com/ca.crl/${readCertificate(data.ca.certificate).subjectKeyIdentifier}`],
        ocspUrls: ['http://mdm.example.com/ocsp'],
      });
      // The server's own are in no register: OCSP would not know them.
      expect(readCertificate(fromPem(data.tls.cert)).ocspUrls).toEqual([]);
    });
    await opened(dir, {}, async (data) => expect(readCertificate(await issued(data)).crlUrls).toEqual([]));
    for (const revocationUrl of ['nonsense', 'ldap://mdm.example.com']) {
      await expect(opened(dir, { revocationUrl }, () => undefined)).rejects.toMatchObject({ code: 'host.options' });
    }
  });

  it('keeps no private key and no token in the clear, and no file open to others', async (context) => {
    const dir = folder(context);
    const { tls, adminToken } = await opened(dir, {}, (data) => data);
    const keyBody = (tls.key.split('\n')[1] as string).slice(0, 40);
    for (const name of readdirSync(dir)) {
      const text = readFileSync(join(dir, name), 'latin1');
      expect(text).not.toContain('PRIVATE KEY');
      expect(text).not.toContain(keyBody);
      expect(text).not.toContain(adminToken);
      if (name.endsWith('.json') || name === 'master.key') expect(statSync(join(dir, name)).mode & 0o077).toBe(0);
    }
  });

  it('has a server certificate for localhost and the public host, made anew when host or age ask for it', async (context) => {
    const dir = folder(context);
    const clock = testClock();
    const cert = (publicUrl?: string) =>
      opened(dir, { clock, ...(publicUrl === undefined ? {} : { publicUrl }) }, ({ tls, ca }) => {
        const { sans, notAfter } = readCertificate(Buffer.from(tls.cert.split('-----')[2] as string, 'base64'));
        verifyTrust(Buffer.from(tls.cert.split('-----')[2] as string, 'base64'), {
          anchors: [ca.certificate],
          now: clock.now(),
          purpose: 'server-auth',
        });
        return { pem: tls.cert, names: sans.map(({ value }) => String(value)), notAfter: notAfter.getTime() };
      });
    const first = await cert('https://mdm.example.com:8443/x');
    expect(first.names).toEqual(expect.arrayContaining(['localhost', '127.0.0.1', 'mdm.example.com']));
    expect(first.notAfter - START).toBeLessThanOrEqual(398 * DAY);
    expect((await cert('https://mdm.example.com')).pem).toBe(first.pem);
    const second = await cert('https://[2001:db8::1]:8443');
    expect(second.pem).not.toBe(first.pem);
    expect((await cert('https://[2001:DB8:0:0::1]')).pem).toBe(second.pem);
    clock.advance(360 * DAY);
    expect((await cert('https://[2001:db8::1]')).pem).toBe(second.pem);
    clock.advance(10 * DAY);
    expect((await cert('https://[2001:db8::1]')).pem).not.toBe(second.pem);
    await expect(cert('nonsense')).rejects.toMatchObject({ code: 'host.options' });
  });

  it('signs profiles that openssl accepts against ca.pem', async (context) => {
    need(context, 'openssl');
    const dir = folder(context);
    const signed = await opened(dir, {}, (data) => data.signProfile(new TextEncoder().encode('<plist/>')));
    writeFileSync(join(dir, 'p'), signed);
    const verify = run('openssl', [
      'cms',
      '-verify',
      '-inform',
      'DER',
      '-in',
      join(dir, 'p'),
      '-CAfile',
      join(dir, 'ca.pem'),
      '-attime',
      String(START / 1000),
    ]);
    expect([verify.status, verify.stdout]).toEqual([0, '<plist/>']);
  });

  it('is closed to others while it is open, and open again after a kill', async (context) => {
    const dir = folder(context);
    await opened(dir, {}, async () => {
      await expect(openDataFolder(dir, { lockWaitMs: 0 })).rejects.toMatchObject({
        code: 'host.data.in_use',
        kind: 'conflict',
      });
      await expect(openDataFolder(dir, { lockWaitMs: 120 })).rejects.toMatchObject({ code: 'host.data.in_use' });
    });
    await opened(dir, { exclusive: false }, () => opened(dir, { exclusive: false }, () => undefined));
    const script = `const { openDataFolder } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)});
      await openDataFolder(${JSON.stringify(dir)}); process.kill(process.pid, 'SIGKILL');`;
    const child = spawnSync(process.execPath, ['--conditions=espalier-source', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect([child.signal, child.stderr.replace(/.*Warning.*\n/g, '')]).toEqual(['SIGKILL', '']);
    await opened(dir, {}, ({ ca }) => expect(ca.certificate.byteLength).toBeGreaterThan(0));
  });

  it('opens after a crash at any moment of the first start', async (context) => {
    const whole = folder(context);
    await opened(whole, {}, () => undefined);
    // Files are written in this order, each whole; a crash leaves a beginning of the list.
    const order = [
      'master.key',
      'ca.json',
      'ca.pem',
      'tls.json',
      'profile-signing.json',
      'escrow.json',
      'session.json',
      'admin.json',
    ];
    expect(
      readdirSync(whole)
        .filter((name) => name !== 'lock.sqlite')
        .sort(),
    ).toEqual([...order].sort());
    for (let kept = 0; kept <= order.length; kept += 1) {
      const dir = folder(context);
      for (const name of order.slice(0, kept)) {
        writeFileSync(join(dir, name), readFileSync(join(whole, name)), { mode: 0o600 });
      }
      writeFileSync(join(dir, 'admin.json.espalier-tmp'), '{"tok');
      const token = await opened(dir, {}, (data) => data.adminToken);
      expect(token === null).toBe(kept === order.length);
      expect(existsSync(join(dir, 'admin.json.espalier-tmp'))).toBe(false);
    }
  });

  it('takes the master key from outside, and says when it is the wrong one', async (context) => {
    const dir = folder(context);
    const key = Buffer.alloc(32, 5);
    const first = await opened(dir, { masterKey: key.toString('hex') }, (data) => data.ca.certificate);
    expect(existsSync(join(dir, 'master.key'))).toBe(false);
    expect(await opened(dir, { masterKey: key.toString('base64') }, (data) => data.ca.certificate)).toEqual(first);
    expect(
      await opened(dir, { masterKey: Buffer.alloc(32, 6), earlierMasterKeys: [key] }, (data) => data.ca.certificate),
    ).toEqual(first);
    const code = (options: DataFolderOptions) =>
      opened(dir, options, () => 'opened').catch((error: { code: string; remedy?: string }) => {
        expect(error.remedy).toBeTruthy();
        return error.code;
      });
    expect(await code({ masterKey: Buffer.alloc(32, 7) })).toBe('host.data.wrong_key');
    expect(await code({})).toBe('host.data.master_key_missing');
    expect(await code({ masterKey: 'short' })).toBe('host.data.master_key');
  });

  it('changes its master key: everything in it is sealed anew, and the old key is not needed any more', async (context) => {
    const dir = folder(context);
    const secrets = ({ ca, tls, sessionSecret }: DataFolder) => ({ ca: ca.certificate, tls, sessionSecret });
    const first = await opened(dir, {}, secrets);
    const old = readFileSync(join(dir, 'master.key'), 'utf8');
    const oldId = masterKey(Buffer.from(old, 'base64')).id;
    const sealedWith = (name: string) => {
      const { sealed, sealedKey } = JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8'));
      const blob = Buffer.from(sealed ?? sealedKey, 'base64');
      return createKeyRing({ current: { id: 'x', key: new Uint8Array(32) } }).keyIdOf(blob);
    };
    const files = ['ca', 'tls', 'profile-signing', 'escrow', 'session'];
    expect(files.map(sealedWith)).toEqual(files.map(() => oldId));

    // As docs/operations.md has it, for a key that is kept in the folder.
    const fresh = Buffer.alloc(32, 9).toString('base64');
    writeFileSync(join(dir, 'master.earlier.key'), `\n${old}\n`, { mode: 0o644 });
    writeFileSync(join(dir, 'master.key'), fresh, { mode: 0o600 });
    const code = (options: DataFolderOptions = {}) =>
      opened(dir, options, () => 'opened').catch((error: { code: string }) => error.code);
    expect(await code()).toBe('host.data.permissions');
    chmodSync(join(dir, 'master.earlier.key'), 0o600);
    const ids = await opened(dir, { earlierMasterKeys: [old, fresh] }, ({ keys }) => keys.ids);
    expect(ids).toEqual([masterKey(Buffer.alloc(32, 9)).id, oldId]);
    expect(files.map(sealedWith)).toEqual(files.map(() => ids[0]));
    for (const name of files) expect(statSync(join(dir, `${name}.json`)).mode & 0o077).toBe(0);
    rmSync(join(dir, 'master.earlier.key'));
    expect(await opened(dir, {}, secrets)).toEqual(first);
    expect(await code({ masterKey: old.trim() })).toBe('host.data.wrong_key');

    // And for one from outside.
    const next = Buffer.alloc(32, 10).toString('hex');
    expect(await code({ masterKey: next })).toBe('host.data.wrong_key');
    expect(await code({ masterKey: next, earlierMasterKeys: [fresh] })).toBe('opened');
    expect(await code({ masterKey: next })).toBe('opened');
    const environment = { ESPALIER_MASTER_KEY: next, ESPALIER_EARLIER_MASTER_KEYS: `${fresh}, ${old}` };
    expect(parseServerArguments([], environment)).toMatchObject({
      masterKey: next,
      earlierMasterKeys: [fresh, old.trim()],
    });
  });

  it('says what is wrong with its files', async (context) => {
    const dir = folder(context);
    await opened(dir, {}, () => undefined);
    const code = () => opened(dir, {}, () => 'opened').catch((error: { code: string }) => error.code);
    chmodSync(join(dir, 'master.key'), 0o644);
    expect(await code()).toBe('host.data.permissions');
    chmodSync(join(dir, 'master.key'), 0o600);
    expect(await code()).toBe('opened');
    for (const content of ['', '{', '[]', '{"certificate":1}', 'null']) {
      writeFileSync(join(dir, 'tls.json'), content);
      expect(await code()).toBe('host.data.damaged');
    }
    rmSync(join(dir, 'tls.json'));
    writeFileSync(join(dir, 'admin.json'), '{}');
    expect(await code()).toBe('host.data.damaged');
    writeFileSync(join(dir, 'file'), '');
    await expect(openDataFolder(join(dir, 'file'))).rejects.toMatchObject({ code: 'host.data.not_a_folder' });
    await expect(openDataFolder(join(dir, 'file', 'below'))).rejects.toMatchObject({ code: 'host.data.not_a_folder' });
  });
});
