// FileVault recovery keys: an old Mac sends its key to the address in its profile, a newer one keeps it for the server; the
// payload follows the system. Keys are encrypted by openssl.
import { createRootCa, type Identity } from '@espalier/pki';
import { decodeDict, encodeXml, type PlistDict, type PlistInput } from '@espalier/plist';
import { createCompiler } from '@espalier/policy';
import { beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type Host, hostSources } from '../src/index.ts';
import { folder, need, put, run } from './tools.ts';
import { type Device, enrol, START, type World, world } from './world.ts';

const KEY = 'AAAA-BBBB-CCCC-DDDD-EEEE-FFFF';
const NEXT = 'GGGG-HHHH-JJJJ-KKKK-LLLL-MMMM';
const PATH = /^https:\/\/mdm\.example\.com(\/recovery-key\/M1\/[0-9a-f]{64})$/;

let escrowIdentity: Identity;
beforeAll(async () => {
  const clock = { now: () => START };
  escrowIdentity = await createRootCa({ subject: 'CN=Escrow', key: { type: 'rsa', bits: 2048 }, clock });
});

/** What `openssl cms -encrypt` makes of a key, for the certificate given. */
function encrypted(context: TestContext, key: string, certificate: Uint8Array): Uint8Array {
  const dir = folder(context);
  const [cert, plain] = [put(dir, 'cert.der', certificate), put(dir, 'key.txt', key)];
  const out = `${dir}/cms.der`;
  const args = ['cms', '-encrypt', '-binary', '-aes256', '-in', plain, '-outform', 'DER', '-out', out, cert];
  const made = run('openssl', args);
  if (made.status !== 0) throw new Error(made.stderr);
  return new Uint8Array(Buffer.from(run('base64', ['-w0', out]).stdout, 'base64'));
}

async function made(version: string) {
  let host: Host | undefined;
  const compile = createCompiler({ recoveryKeyCertificate: escrowIdentity.certificate });
  const it = await world({}, { compile, escrowIdentity, ...hostSources(() => host as Host) });
  host = it.host;
  const label = await it.engine.labels.create({ name: 'Macs' });
  const mac = await enrol(it, 'M1', { ProductName: 'MacBookPro11,1', ModelName: 'MacBook Pro', OSVersion: version });
  await it.engine.labels.setMembers(label.id, { add: ['M1'] });
  await it.engine.configurations.create({ name: 'Keys', type: 'filevault-escrow', settings: {}, labelIds: [label.id] });
  return { it, mac };
}

/** A session: answers what comes, and gives the payloads of the profiles that came. */
async function session(
  it: World,
  mac: Device,
  answers: Readonly<Record<string, Readonly<Record<string, PlistInput>>>> = {},
): Promise<PlistDict[][]> {
  await it.engine.tick();
  const profiles: PlistDict[][] = [];
  let say: Record<string, PlistInput> = { Status: 'Idle', UDID: mac.udid };
  for (;;) {
    const reply = await it.fetch('/mdm/connect', mac.request(encodeXml(say)));
    const bytes = new Uint8Array(await reply.arrayBuffer());
    if (bytes.length === 0) return profiles;
    const { CommandUUID, Command } = decodeDict(bytes) as { CommandUUID: string; Command: PlistDict };
    const type = String(Command['RequestType']);
    if (type === 'InstallProfile') {
      profiles.push(decodeDict(Command['Payload'] as Uint8Array)['PayloadContent'] as PlistDict[]);
    }
    say = { Status: 'Acknowledged', UDID: mac.udid, CommandUUID, ...answers[type] };
  }
}

const request = (cms: Uint8Array, serialNumber = 'SNM1') =>
  `<FDECaptureRequest><VersionNumber>1.0</VersionNumber><SerialNumber>${serialNumber}</SerialNumber>` +
  `<RecoveryKeyCMS64>${Buffer.from(cms).toString('base64')}</RecoveryKeyCMS64></FDECaptureRequest>`;

const post = (it: World, path: string, body: string) =>
  it.fetch(path, { method: 'POST', headers: { 'content-type': 'application/xml' }, body });

async function codeOf(answer: Response): Promise<readonly [number, string]> {
  return [answer.status, ((await answer.json()) as { code: string }).code];
}

/** The address, and the certificate, in the profile of a Mac of macOS 10.12. */
async function redirected() {
  const { it, mac } = await made('10.12.6');
  const [profile] = await session(it, mac);
  const [redirect, certificate] = profile ?? [];
  expect(redirect).toMatchObject({
    PayloadType: 'com.apple.security.FDERecoveryRedirect',
    EncryptCertPayloadUUID: certificate?.['PayloadUUID'],
    RedirectURL: expect.stringMatching(PATH),
  });
  const path = PATH.exec(String(redirect!['RedirectURL']))![1] as string;
  return { it, mac, path, certificate: certificate!['PayloadContent'] as Uint8Array };
}

describe('a Mac of macOS 10.12', () => {
  it('sends its key to an address of its own; what it sends again is kept once, and another key beside the first', async (context) => {
    need(context, 'openssl');
    const { it, path, certificate } = await redirected();
    const cms = encrypted(context, KEY, certificate);
    const answer = await post(it, path, request(cms));
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/xml']);
    const text = await answer.text();
    expect(text).toContain('<SerialNumber>SNM1</SerialNumber>');
    expect(text).toContain('<RecordNumber>20260115T120000</RecordNumber>');
    it.clock.advance(60_000);
    expect(await (await post(it, path, request(cms))).text()).toBe(text);
    expect((await post(it, path, request(encrypted(context, NEXT, certificate)))).status).toBe(200);

    const read = await it.api('GET', '/devices/M1/escrow/filevault-key');
    expect(await read.json()).toMatchObject({ items: [{ value: NEXT }, { value: KEY, at: START }] });
    const { items } = await it.engine.events.list({ order: 'oldest', limit: 1000 });
    const told = items.filter(({ type }) => type.startsWith('escrow.'));
    expect(told.map(({ type }) => type)).toEqual(['escrow.stored', 'escrow.stored', 'escrow.read']);
    expect(JSON.stringify([items, it.lines])).not.toMatch(/AAAA-BBBB|GGGG-HHHH/);
  });

  it('is the only one that is believed', async (context) => {
    need(context, 'openssl');
    const { it, path, certificate } = await redirected();
    const body = request(encrypted(context, KEY, certificate));
    const refused = [403, 'core.escrow.not_expected'];
    await enrol(it, 'M2', { ProductName: 'MacBookPro11,1', OSVersion: '10.12.6' });
    expect(await codeOf(await post(it, path.replace('/M1/', '/M2/'), body))).toEqual(refused);
    expect(
      await codeOf(
        await post(
          it,
          path.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
          body,
        ),
      ),
    ).toEqual(refused);
    expect(await codeOf(await post(it, path.replace(/.$/, ''), body))).toEqual(refused);
    expect(await codeOf(await post(it, path, request(encrypted(context, KEY, certificate), 'SNM2')))).toEqual(refused);
    // Not for us, not a key, not a request, too much.
    const [unreadable, malformed] = [
      [400, 'core.escrow.unreadable'],
      [400, 'mdm.recovery_key.malformed'],
    ];
    expect(await codeOf(await post(it, path, request(encrypted(context, KEY, it.ca.certificate))))).toEqual(unreadable);
    expect(await codeOf(await post(it, path, request(new Uint8Array(9))))).toEqual(unreadable);
    expect(await codeOf(await post(it, path, request(encrypted(context, 'pass', certificate))))).toEqual(unreadable);
    expect(await codeOf(await post(it, path, '<a/>'))).toEqual(malformed);
    expect((await post(it, path, 'x'.repeat(20_000))).status).toBe(413);
    expect(await it.engine.escrow.read('M1', 'filevault-key')).toEqual([]);
    // The word is a secret, and no line of the log tells it.
    expect(JSON.stringify(it.lines)).not.toContain(path.split('/').at(-1));
  });

  it('gets the other payload as soon as it tells of macOS 10.13, and its address is closed', async (context) => {
    need(context, 'openssl');
    const { it, mac, path, certificate } = await redirected();
    const cms = encrypted(context, KEY, certificate);
    expect((await post(it, path, request(cms))).status).toBe(200);
    await it.engine.devices.refresh(['M1']);
    const told = { DeviceInformation: { QueryResponses: { OSVersion: '10.13', ProductName: 'MacBookPro11,1' } } };
    const profiles = [...(await session(it, mac, told)), ...(await session(it, mac, told))];
    expect(profiles).toHaveLength(1);
    const [escrow, trusted] = profiles[0]!;
    expect(escrow).toMatchObject({
      PayloadType: 'com.apple.security.FDERecoveryKeyEscrow',
      EncryptCertPayloadUUID: trusted?.['PayloadUUID'],
    });
    expect(await codeOf(await post(it, path, request(cms)))).toEqual([403, 'core.escrow.not_expected']);

    const rotated = encrypted(context, NEXT, trusted!['PayloadContent'] as Uint8Array);
    await it.engine.devices.refresh(['M1']);
    await session(it, mac, { ...told, SecurityInfo: { SecurityInfo: { FDE_PersonalRecoveryKeyCMS: rotated } } });
    expect((await it.engine.escrow.read('M1', 'filevault-key')).map(({ value }) => value)).toEqual([NEXT, KEY]);
  });

  it('is not believed any more once it left', async (context) => {
    need(context, 'openssl');
    const { it, mac, path, certificate } = await redirected();
    const body = request(encrypted(context, KEY, certificate));
    await it.fetch(
      '/mdm/checkin',
      mac.request({ MessageType: 'CheckOut', UDID: 'M1', Topic: 'com.apple.mgmt.External.test' }),
    );
    expect(await codeOf(await post(it, path, body))).toEqual([403, 'core.escrow.not_expected']);
  });
});
