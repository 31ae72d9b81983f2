// The device with what it was not written against: profiles of another builder, and a SCEP server of another project.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accessRights, command, enrolmentProfile, readCheckin, readResponse } from '@espalier/apple-mdm';
import { readCertificate } from '@espalier/pki';
import { afterEach, expect, test } from 'vitest';
import { createKeyPool, createSimulatedDevice } from '../src/index.ts';
import { startMdm, topic } from './server.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

test('enrols with a profile of @espalier/apple-mdm, and its readers read what the device sends', async () => {
  const mdm = await startMdm({ tls: false });
  open.push(() => mdm.close());
  const scep = readChallenge(mdm.profile());
  const phone = createSimulatedDevice({ kind: 'iPhone', keyPool: createKeyPool() });
  await phone.enrol(
    enrolmentProfile({
      organisation: 'Example',
      serverUrl: `${mdm.url}/mdm`,
      checkInUrl: `${mdm.url}/checkin`,
      topic,
      accessRights: accessRights('AllowInspection', 'AllowQueryDeviceInformation'),
      identity: { url: `${mdm.url}/scep`, challenge: scep, subject: [['CN', 'device']] },
      rootCertificates: [mdm.root],
      allowHttp: true,
    }),
  );
  const { requestType, bytes } = command('DeviceInformation', { Queries: ['OSVersion'] }, { commandUuid: 'x' });
  expect([requestType, bytes.length > 0]).toEqual(['DeviceInformation', true]);
  const uuid = mdm.enqueue(phone.udid, { RequestType: 'DeviceInformation', Queries: ['OSVersion'] });
  await phone.poll();
  const bodies = mdm.arrived.filter(({ path }) => path === '/checkin').map(({ body }) => new Uint8Array(body));
  expect(bodies.map((body) => readCheckin(body).messageType)).toEqual(['Authenticate', 'TokenUpdate']);
  const answers = mdm.arrived
    .filter(({ path }) => path === '/mdm')
    .map(({ body }) => readResponse(new Uint8Array(body)));
  expect(answers).toMatchObject([
    { status: 'Idle', ids: { udid: phone.udid } },
    { status: 'Acknowledged', commandUuid: uuid },
  ]);
});

/** The challenge that the test server put into its own profile. */
function readChallenge(profile: Uint8Array): string {
  return /<key>Challenge<\/key>\s*<string>([^<]+)<\/string>/.exec(new TextDecoder().decode(profile))![1]!;
}

function scepserver(): boolean {
  try {
    execFileSync('scepserver', ['-version'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    console.log("skipped: scepserver (Debian's package scep) is not installed");
    return false;
  }
}

test("gets its identity from Debian's scepserver", { skip: !scepserver() }, async () => {
  const mdm = await startMdm({ tls: false });
  open.push(() => mdm.close());
  const folder = mkdtempSync(join(tmpdir(), 'scep-'));
  open.push(() => rmSync(folder, { recursive: true }));
  const depot = join(folder, 'depot');
  execFileSync('scepserver', ['ca', '-init', '-depot', depot, '-key-password', ''], { cwd: folder, stdio: 'ignore' });
  const port = await freePort();
  const child = spawn('scepserver', ['-depot', depot, '-port', String(port), '-challenge', 'secret'], {
    cwd: folder,
    stdio: 'ignore',
  });
  open.unshift(() => stop(child));
  const phone = createSimulatedDevice({ kind: 'iPhone', retry: { attempts: 20, firstMs: 50, longestMs: 500 } });
  const profile = enrolmentProfile({
    organisation: 'Example',
    serverUrl: `${mdm.url}/mdm`,
    checkInUrl: `${mdm.url}/checkin`,
    topic,
    identity: {
      url: `http://127.0.0.1:${port}/scep`,
      challenge: 'secret',
      subject: [
        ['O', 'Example'],
        ['CN', 'other device'],
      ],
    },
    allowHttp: true,
  });
  const { certificate } = await phone.enrol(profile);
  expect(readCertificate(certificate)).toMatchObject({ subjectCn: 'other device' });
  expect(readCertificate(certificate).issuer).toMatch(/SCEP|scep/);
  expect(phone.phase).toBe('enrolled');
  const refused = createSimulatedDevice({ kind: 'iPhone', seed: 2 });
  const wrong = new TextEncoder().encode(
    new TextDecoder().decode(profile).replace('<string>secret<', '<string>wrong<'),
  );
  await expect(refused.enrol(wrong)).rejects.toThrow(expect.objectContaining({ code: 'simulator.scep' }));
});

async function stop(child: ChildProcess): Promise<void> {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
