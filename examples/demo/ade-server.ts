// The server of `--ade`, in this process, and what is Apple's in the story: the enrolment service, the keys in the devices.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createApnsClient } from '@espalier/apple-mdm';
import { createEngine, type Engine } from '@espalier/core';
import { createAdeService, createHost, createLogger, openDataFolder } from '@espalier/host';
import { listen, toNodeListener } from '@espalier/host/node';
import { createRootCa, generateKeyPair, openCa, signCms, toPem } from '@espalier/pki';
import { compileConfiguration } from '@espalier/policy';
import { createSimulatedEnrolmentService, type SimulatedEnrolmentService } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { type AdminApi, createAdminApi } from './api.ts';
import { type SimulatedApple, TOPIC } from './apple.ts';

/** Where the story happens. */
export interface AdeWorld {
  readonly engine: Engine;
  readonly url: string;
  /** The server's root certificate, DER. */
  readonly root: Uint8Array;
  /** Apple's service. */
  readonly service: SimulatedEnrolmentService;
  /** The server's admin API. */
  readonly api: AdminApi;
  /** Signs what a device says of itself with a key that Apple put into it. */
  sign(serialNumber: string, machineInfo: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Starts it on loopback, with its data in `folder`. */
export async function startAdeWorld(folder: string, port: number, apple: SimulatedApple): Promise<AdeWorld> {
  const builtIn = await createRootCa({
    subject: 'CN=Simulated Device CA',
    clock: Date,
    key: { type: 'ec', curve: 'P-256' },
  });
  const issuer = await openCa({ ...builtIn, clock: Date });
  const service = createSimulatedEnrolmentService({ clock: Date, seed: 'demo' });

  const logger = createLogger({ level: 'error' });
  const data = await openDataFolder(folder, {});
  const store = openSqliteStore(data.file('espalier.sqlite'));
  const apns = createApnsClient({
    certificate: readFileSync(apple.files.certificate, 'utf8'),
    privateKey: readFileSync(apple.files.privateKey, 'utf8'),
    ca: readFileSync(apple.files.ca, 'utf8'),
    origin: apple.files.origin,
    topic: TOPIC,
  });
  const engine = createEngine({
    store,
    keys: data.keys,
    push: apns,
    compile: compileConfiguration,
    signProfile: data.signProfile,
    logger,
  });
  await engine.ready();
  const adeService = createAdeService({
    engine,
    store,
    keys: data.keys,
    publicUrl: () => `https://localhost:${listening.port}`,
    anchors: [data.ca.certificate],
    fetch: service.fetch,
    releaseIntervalMs: 500,
    logger,
  });
  const host = createHost({
    engine,
    ca: data.ca,
    identity: { anchors: [data.ca.certificate], sources: ['mdm-signature', 'tls'] },
    profile: { organisation: 'Espalier', topic: TOPIC, sign: data.signProfile },
    ade: { anchors: [builtIn.certificate] },
    adeService,
    adminTokens: [data.adminTokenHash],
    sessionSecret: data.sessionSecret,
    logger,
  });
  const server = createServer(
    { ...data.tls, requestCert: true, rejectUnauthorized: false },
    toNodeListener(host.fetch),
  );
  const listening = await listen(server, { port, address: '127.0.0.1' });
  engine.start();
  adeService.start();
  const url = `https://localhost:${listening.port}`;
  // The folder is a new one, so the token was made just now.
  const api = createAdminApi(url, data.adminToken ?? '', toPem(data.ca.certificate));
  return {
    engine,
    url,
    root: data.ca.certificate,
    service,
    api,
    async sign(serialNumber, machineInfo) {
      const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
      const certificate = await issuer.issue({ subject: `CN=${serialNumber}`, publicKey, template: 'device' });
      return signCms(machineInfo, { certificate, privateKey });
    },
    async close() {
      api.close();
      await listening.close();
      await adeService.stop();
      await engine.stop();
      await apns.close();
      await store.close();
      await data.close();
    },
  };
}
