// Bypass codes: published values, python3's PBKDF2, and what people type.
import { describe, expect, it } from 'vitest';
import { need, run } from '../../../test/support/tools.ts';
import { createBypassCode, escrowKeyOf, escrowUnlockRequest } from '../src/index.ts';

const known = [
  [
    '00000000000000000000000000000000',
    '00000-00000-0000-0000-0000-0000',
    'deab860d28deb5b7121d6d8fcf0f78e1471756d1b2c566c03277c23ea8930b4f',
  ],
  [
    '1ea841db5edfafe6075b5ae0d845d254',
    '3UM43-PUYVY-QYD1-UVCC-HEHJ-FKA4',
    '6ab40d5eabe7218ec04182f461005600c7e3426bddd82cdb405bde9a1e0014b5',
  ],
  [
    'f398ef9199e9f0aefea0e782ab8b61a9',
    'YFDFZ-4DTX7-RAXZ-N0WY-1AQ2-V1N1',
    '7c7715d092a5cfcd16a6037555e11e4fa53edda9cda4d8464d58ef39ba9b5b0f',
  ],
] as const;

describe('bypass codes', () => {
  it('are printed and hashed as other implementations do', async () => {
    for (const [key, code, hash] of known) {
      const made = await createBypassCode(() => Buffer.from(key, 'hex'));
      expect(made).toEqual({ code, escrowKey: hash.toUpperCase() });
      expect(await escrowKeyOf(code)).toBe(hash.toUpperCase());
      expect(await escrowKeyOf(` ${code.toLowerCase().replaceAll('-', '')} `)).toBe(hash.toUpperCase());
    }
  });

  it('have the hash that python3 computes', async (context) => {
    need(context, 'python3');
    const key = 'c0ffee00112233445566778899aabbcc';
    const { escrowKey } = await createBypassCode(() => Buffer.from(key, 'hex'));
    const python = `import hashlib;print(hashlib.pbkdf2_hmac('sha256',bytes.fromhex('${key}'),bytes(4),50000).hex())`;
    expect((await run('python3', ['-c', python])).stdout.toString().trim().toUpperCase()).toBe(escrowKey);
  });

  it('are random by default', async () => {
    expect((await createBypassCode()).code).not.toBe((await createBypassCode()).code);
  });

  it('are told from what is none', async () => {
    for (const wrong of ['', 'hello', known[1][1].slice(1), `${known[1][1]}0`, known[1][1].replace('3', 'B')]) {
      await expect(escrowKeyOf(wrong)).rejects.toMatchObject({ code: 'ade.bypass.code' });
    }
    // The last letter has three bits.
    await expect(escrowKeyOf('00000-00000-0000-0000-0000-0008')).rejects.toMatchObject({ code: 'ade.bypass.code' });
  });

  it('go to Apple as they are, with the device in the query', async () => {
    const request = await escrowUnlockRequest({
      serial: 'C02ABCDEFGHJ',
      productType: 'iPad13,4',
      imei: '351234567890123',
      orgName: 'Example & Sons',
      guid: 'admin-7',
      code: known[1][1],
    });
    expect(request.method).toBe('POST');
    expect(request.url).toBe(
      'https://deviceservices-external.apple.com/deviceservicesworkers/escrowKeyUnlock' +
        '?serial=C02ABCDEFGHJ&productType=iPad13%2C4&imei=351234567890123',
    );
    expect(request.headers.get('content-type')).toMatch(/^application\/x-www-form-urlencoded/);
    expect(Object.fromEntries(new URLSearchParams(await request.text()))).toEqual({
      orgName: 'Example & Sons',
      guid: 'admin-7',
      escrowKey: known[1][1],
    });
  });
});
