// The server is killed in the middle of the enrolment of a fleet, again and again, and nothing is lost.
import { join } from 'node:path';
import type { CommandEntry, Enrolment, Invitation, IssuedCertificate } from '@espalier/core';
import { fromPem } from '@espalier/pki';
import { createFleet, type RequestEvent, runLimited, SimulatorError } from '@espalier/simulator';
import { afterAll, expect, test } from 'vitest';
import { createAdminApi } from '../examples/demo/api.ts';
import { startApple } from '../examples/demo/apple.ts';
import { type ServerProcess, startServer } from '../examples/demo/server.ts';
import { folder } from './support/tools.ts';

const DEVICES = 100;
const INVENTORY = ['DeviceInformation', 'SecurityInfo', 'InstalledApplicationList', 'ProfileList', 'CertificateList'];
/** After how many answered requests of the whole fleet the server dies. */
const KILLS = [60, 250, 550, 800];

const place = folder();
afterAll(() => place.remove());

test(`SIGKILL during the enrolment of ${DEVICES} devices loses nothing`, { timeout: 240_000 }, async () => {
  const apple = await startApple(place.path);
  const data = join(place.path, 'server');
  const start = (port: number) => startServer({ host: 'node', data, port, apns: apple.files });
  let server: ServerProcess = await start(0);
  const { url, port, rootPem } = server;
  const api = createAdminApi(url, server.adminToken!, rootPem);

  let answered = 0;
  let kills = 0;
  let restart: Promise<void> = Promise.resolve();
  const answers = new Map<string, Set<string>>();
  let wakeUp = (): void => {};
  const onRequest = (event: RequestEvent): void => {
    if (event.status === 200) {
      answered++;
      if (event.kind === 'result' && event.requestType) {
        const types = answers.get(event.udid) ?? new Set();
        answers.set(event.udid, types.add(event.requestType));
      }
    }
    if (kills < KILLS.length && answered >= KILLS[kills]!) {
      kills++;
      const dying = server;
      restart = restart.then(async () => {
        await dying.kill();
        server = await start(port);
      });
    }
    wakeUp();
  };
  const fleet = createFleet({
    count: DEVICES,
    seed: 'crash',
    trustedRoots: [fromPem(rootPem, 'CERTIFICATE')],
    apns: apple.apns,
    onRequest,
    onError: (error) => {
      // A session that a push began is over when the server is gone; the next push begins another.
      if (!(error instanceof SimulatorError) || error.code !== 'simulator.unreachable') throw error;
    },
    retry: { attempts: 40, firstMs: 50, longestMs: 500 },
  });
  const invitations = await runLimited(fleet, 4, () => api.post<Invitation & { url: string }>('/invitations', {}));
  try {
    await runLimited(fleet, 12, (device, index) => device.enrol(invitations[index]!.url));
    await restart;
    const complete = () =>
      fleet.every((device) => INVENTORY.every((type) => answers.get(device.udid)?.has(type) === true));
    while (!complete()) {
      await new Promise<void>((resolve) => {
        wakeUp = resolve;
      });
    }
    await restart;
    for (const device of fleet) await device.settled();
    expect(kills).toBe(KILLS.length);

    // All devices finished.
    const devices = await api.all<{ enrolment: Enrolment }>('/devices');
    expect(devices.map(({ enrolment }) => enrolment.id).sort()).toEqual(fleet.map((device) => device.udid).sort());
    expect(new Set(devices.map(({ enrolment }) => enrolment.status))).toEqual(new Set(['active']));

    // No device has two identities in force, and the one in force is the one that the device has.
    const certificates = await api.all<IssuedCertificate>('/certificates');
    const inForce = certificates.filter((certificate) => certificate.status === 'in-force');
    expect(inForce.map(({ enrolmentId }) => enrolmentId).sort()).toEqual(fleet.map((device) => device.udid).sort());
    const held = new Map(fleet.map((device) => [device.udid, device.state().certificate]));
    for (const { enrolmentId, certificate } of inForce) expect(certificate).toBe(held.get(enrolmentId!));

    // No command is lost: whatever was queued has its answer, each inventory query among them.
    for (const device of fleet) {
      const commands = await api.all<CommandEntry>(`/devices/${device.udid}/commands`);
      expect(commands.filter(({ state }) => state !== 'acknowledged' && state !== 'superseded')).toEqual([]);
      const done = commands.filter(({ state }) => state === 'acknowledged').map(({ requestType }) => requestType);
      expect(INVENTORY.filter((type) => !done.includes(type))).toEqual([]);
    }
  } finally {
    for (const device of fleet) device.close();
    api.close();
    await restart;
    await server.stop();
    await apple.apns.close();
  }
});
