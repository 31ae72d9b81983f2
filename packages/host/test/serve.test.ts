// The flags of a server's command line.
import { generateKeyPair, oids, toPem } from '@espalier/pki';
import { describe, expect, it } from 'vitest';
import { parseServerArguments } from '../src/node.ts';
import { folder, put } from './tools.ts';
import { authority, TOPIC } from './world.ts';

describe('parseServerArguments', () => {
  it('has defaults, and takes each flag', () => {
    expect(parseServerArguments([], {})).toEqual({ data: './espalier-data', port: 8443 });
    expect(parseServerArguments(['--help'], {})).toBeNull();
    const args =
      '--data d --port 0 --address ::1 --public-url https://x --organisation O --log-level warn --new-admin-token';
    expect(parseServerArguments(args.split(' '), { ESPALIER_MASTER_KEY: 'k' })).toEqual({
      data: 'd',
      port: 0,
      address: '::1',
      publicUrl: 'https://x',
      organisation: 'O',
      logLevel: 'warn',
      newAdminToken: true,
      masterKey: 'k',
    });
  });

  it('takes the topic from the push certificate', async (context) => {
    const ca = await authority();
    const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const subject = [[{ type: oids.userId, value: TOPIC }], [{ type: oids.commonName, value: 'push' }]];
    const certificate = toPem(await ca.issue({ publicKey, subject, template: 'apns-client' }));
    const key = toPem(privateKey, 'PRIVATE KEY');
    const dir = folder(context);
    const both = put(dir, 'push.pem', certificate + key);
    expect(parseServerArguments(['--apns-certificate', both], {})?.apns).toEqual({
      certificate: certificate + key,
      privateKey: certificate + key,
      topic: TOPIC,
    });
    const args = [
      '--apns-certificate',
      put(dir, 'c', certificate),
      '--apns-key',
      put(dir, 'k', key),
      '--apns-topic',
      't',
      '--apns-origin',
      'https://o',
      '--apns-ca',
      put(dir, 'a', 'CA'),
    ];
    expect(parseServerArguments(args, {})?.apns).toEqual({
      certificate,
      privateKey: key,
      topic: 't',
      origin: 'https://o',
      ca: 'CA',
    });
    const nameless = toPem(await ca.issue({ publicKey, subject: 'CN=x', template: 'apns-client' }));
    expect(() => parseServerArguments(['--apns-certificate', put(dir, 'n', nameless)], {})).toThrow('--apns-topic');
  });

  it('refuses what makes no sense', () => {
    for (const args of [
      ['--port', 'x'],
      ['--port', '70000'],
      ['--nonsense'],
      ['extra'],
      ['--apns-key', 'k'],
      ['--apns-certificate', '/nonexistent'],
    ]) {
      expect(() => parseServerArguments(args, {})).toThrow(expect.objectContaining({ code: 'host.options' }));
    }
  });
});
