// One identity for all devices (CERT-30): what the engine refuses, keeps and tells; the rest is tested from upload to device.
import { createRootCa, generateKeyPair, openCa, toPem } from '@espalier/pki';
import { describe, expect, it } from 'vitest';
import { createEngine, createKeyRing, createMemoryStore } from '../src/index.ts';

const START = Date.UTC(2026, 0, 15);
const DAY = 86_400_000;

async function setUp() {
  const clock = {
    time: START,
    now() {
      return this.time;
    },
  };
  const root = await createRootCa({ subject: 'CN=Root', key: { type: 'ec', curve: 'P-256' }, clock });
  const ca = await openCa({ ...root, clock });
  const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
  const issued = await ca.issue({ publicKey, subject: 'CN=gateway', template: 'device', validityDays: 30 });
  const keys = createKeyRing({ current: { id: 'test', key: new Uint8Array(32).fill(1) } });
  const engine = createEngine({ store: createMemoryStore(), keys, clock });
  const { id: settingId } = await engine.credentials.createSetting({ name: 'Gateway', source: 'single-file' });
  const file = Buffer.from(toPem(privateKey, 'PRIVATE KEY') + toPem(issued));
  return { clock, engine, settingId, file, root };
}

describe('a single-file setting', () => {
  it('is shared, whatever scope was asked for', async () => {
    const { engine } = await setUp();
    const setting = await engine.credentials.createSetting({ name: 'Other', source: 'single-file', scope: 'device' });
    expect(setting.scope).toBe('shared');
    const wrong = { name: 'Issued', source: 'issued', scope: 'shared' } as const;
    await expect(engine.credentials.createSetting(wrong)).rejects.toMatchObject({
      ...{ code: 'core.credential.bad_setting', at: { path: '/scope' } },
    });
  });

  it('takes a file of key and certificate, and tells before it ends', async () => {
    const { clock, engine, settingId, file } = await setUp();
    const credential = await engine.credentials.uploadFiles({ settingId, files: [{ file }] });
    expect(credential).toMatchObject({ holder: `setting:${settingId}`, subject: 'CN=gateway', status: 'active' });
    clock.time += 29 * DAY;
    await engine.tick();
    const types = (await engine.events.list({ limit: 100 })).items.map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['credential.uploaded', 'credential.expiring']));
  });

  it('refuses what is too large, has ended, is an authority’s, or is for a setting of another kind', async () => {
    const { clock, engine, settingId, file, root } = await setUp();
    const upload = (files: readonly { file: Uint8Array }[], to = settingId) =>
      engine.credentials.uploadFiles({ settingId: to, files });
    const big = new Uint8Array(200 * 1024);
    await expect(upload([{ file: big }, { file: big }])).rejects.toMatchObject({ code: 'core.credential.too_large' });
    const authority = Buffer.from(toPem(root.privateKey, 'PRIVATE KEY') + toPem(root.certificate));
    await expect(upload([{ file: authority }])).rejects.toMatchObject({ code: 'core.credential.authority' });
    const { id } = await engine.credentials.createSetting({ name: 'Users', source: 'user-provided' });
    await expect(upload([{ file }], id)).rejects.toMatchObject({ code: 'core.credential.not_uploaded' });
    await expect(upload([{ file }], 'nothing')).rejects.toMatchObject({ code: 'core.credential.unknown_setting' });
    clock.time += 31 * DAY;
    await expect(upload([{ file }])).rejects.toMatchObject({ code: 'core.credential.expired' });
    expect((await engine.credentials.list({ settingId })).items).toEqual([]);
  });
});
