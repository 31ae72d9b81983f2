// The key ring, the check of the master key at start, and rotation.
import { createDecipheriv, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createKeyRing, createMemoryStore, INDEX_KEY_SETTING, masterKey } from '../src/index.ts';
import { bench, ScriptedDevice, seededRandom, testKeys } from './support.ts';

const text = (value: string) => new TextEncoder().encode(value);
const wrongKey = expect.objectContaining({ code: 'core.keys.wrong_key' });

describe('the key ring', () => {
  it('opens what it sealed, at the same place only', () => {
    const keys = testKeys();
    const sealed = keys.seal(text('secret'), ['secret', 'U1', 'pin']);
    expect(Buffer.from(sealed).includes('secret')).toBe(false);
    expect(keys.open(sealed, ['secret', 'U1', 'pin'])).toEqual(text('secret'));
    expect(() => keys.open(sealed, ['secret', 'U2', 'pin'])).toThrow(wrongKey);
    // A place is a list: its parts cannot run into each other.
    expect(() => keys.open(sealed, ['secret', 'U1pin'])).toThrow(wrongKey);
  });

  it('is AES-256-GCM as described: Node’s own cipher opens it', () => {
    const key = new Uint8Array(32).fill(7);
    const sealed = testKeys('test').seal(text('secret'), ['place']);
    const header = sealed.subarray(0, 6);
    expect(Buffer.from(header).toString('latin1')).toBe('\u0001\u0004test');
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(6, 18));
    decipher.setAAD(Buffer.concat([header, text('["place"]')]));
    decipher.setAuthTag(sealed.subarray(18, 34));
    const plain = Buffer.concat([decipher.update(sealed.subarray(34)), decipher.final()]);
    expect(plain.toString()).toBe('secret');
  });

  it('finds every changed byte', () => {
    const keys = testKeys();
    const sealed = keys.seal(text('secret'), ['p']);
    for (let i = 0; i < sealed.length; i++) {
      const broken = Uint8Array.from(sealed);
      broken[i] = (broken[i] ?? 0) ^ 1;
      expect(() => keys.open(broken, ['p'])).toThrow(wrongKey);
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(() => keys.open(sealed.subarray(0, length), ['p'])).toThrow(wrongKey);
    }
  });

  it('opens with earlier keys and seals with the current one', () => {
    const old = createKeyRing({ current: { id: 'old', key: new Uint8Array(32).fill(1) } });
    const both = createKeyRing({
      current: { id: 'new', key: new Uint8Array(32).fill(2) },
      earlier: [{ id: 'old', key: new Uint8Array(32).fill(1) }],
    });
    const sealed = old.seal(text('x'), ['p']);
    expect(both.open(sealed, ['p'])).toEqual(text('x'));
    expect(both.keyIdOf(both.seal(text('x'), ['p']))).toBe('new');
    expect(() => old.open(both.seal(text('x'), ['p']), ['p'])).toThrow(wrongKey);
  });

  it('has ids that are taken from the keys, the same everywhere', async () => {
    const key = new Uint8Array(32).fill(7);
    // printf 'espalier master key\0%s' KEY | sha256sum
    const oracle = createHash('sha256').update(Buffer.concat([Buffer.from('espalier master key\0'), key]));
    expect(masterKey(key)).toEqual({ id: oracle.digest('hex').slice(0, 12), key });
    const { engine, store } = bench({ keys: createKeyRing({ current: masterKey(key) }) });
    await engine.ready();
    const canary = Buffer.from((await store.settings.get(INDEX_KEY_SETTING)) ?? '', 'base64');
    expect(testKeys().keyIdOf(canary)).toBe(masterKey(key).id);
  });

  it('never uses a nonce twice', () => {
    const keys = testKeys();
    const seen = new Set(Array.from({ length: 200 }, () => Buffer.from(keys.seal(text('x'), ['p'])).toString('hex')));
    expect(seen.size).toBe(200);
  });

  it('refuses keys that are none', () => {
    const make = (id: string, length: number) => () => createKeyRing({ current: { id, key: new Uint8Array(length) } });
    const bad = expect.objectContaining({ code: 'core.keys.bad_key', kind: 'invalid' });
    expect(make('k', 31)).toThrow(bad);
    expect(make('', 32)).toThrow(bad);
    expect(make('ä', 32)).toThrow(bad);
    const key = new Uint8Array(32);
    expect(() => createKeyRing({ current: { id: 'k', key }, earlier: [{ id: 'k', key }] })).toThrow(bad);
  });
});

describe('the master key of a store', () => {
  it('is checked at start: a wrong one is refused', async () => {
    const store = createMemoryStore();
    await bench({ store }).engine.ready();
    await bench({ store }).engine.ready();
    const sameName = bench({ store, keys: testKeys('test', 8) });
    await expect(sameName.engine.ready()).rejects.toMatchObject({ code: 'core.keys.wrong_key' });
    const otherName = bench({ store, keys: testKeys('other', 7) });
    await expect(otherName.engine.ready()).rejects.toMatchObject({
      code: 'core.keys.wrong_key',
      remedy: expect.stringContaining('test'),
    });
    // Nothing is served with it, either.
    const device = new ScriptedDevice(sameName.engine, 'U1');
    await expect(device.authenticate()).rejects.toMatchObject({ code: 'core.keys.wrong_key' });
    await expect(sameName.engine.enrolling.invite()).rejects.toMatchObject({ code: 'core.keys.wrong_key' });
  });

  it('can be changed: everything is sealed anew, and the old key is not needed any more', async () => {
    const store = createMemoryStore();
    const first = bench({ store });
    const device = new ScriptedDevice(first.engine, 'U1', { ProductName: 'Mac14,7' });
    await device.enrol();
    await device.session();
    await device.checkin({ MessageType: 'SetBootstrapToken', BootstrapToken: text('bootstrap') });
    const { pin, id } = await first.engine.enrolling.invite();
    const { commandUuid } = await first.engine.devices.lock('U1', { pin: '123456' });
    const old = { id: 'test', key: new Uint8Array(32).fill(7) };
    const current = { id: 'next', key: new Uint8Array(32).fill(9) };
    const rotating = bench({ store, keys: createKeyRing({ current, earlier: [old] }), random: seededRandom(2) });
    expect(await rotating.engine.rewrap()).toBeGreaterThan(5);
    expect(await rotating.engine.rewrap()).toBe(0);
    const { engine } = bench({ store, keys: createKeyRing({ current }), random: seededRandom(3) });
    await engine.ready();
    expect((await engine.enrolling.redeem({ pin })).id).toBe(id);
    expect(await engine.devices.lockPin('U1')).toBe('123456');
    const again = new ScriptedDevice(engine, 'U1');
    expect(await again.idle()).toMatchObject({ commandUuid, payload: { PIN: '123456' } });
  });
});
