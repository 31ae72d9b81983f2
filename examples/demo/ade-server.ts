// The server of `--ade`, in this process, and what is Apple's in the story: the enrolment service, the keys in the devices.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createEnrolmentClient, createTokenKeyPair, type EnrolmentClient, openServerToken } from '@espalier/ade';
import { createApnsClient } from '@espalier/apple-mdm';
import { createEngine, type Engine } from '@espalier/core';
import { createHost, createLogger, openDataFolder } from '@espalier/host';
import { listen, toNodeListener } from '@espalier/host/node';
import { createRootCa, generateKeyPair, openCa, signCms } from '@espalier/pki';
import { compileConfiguration } from '@espalier/policy';
import { createSimulatedEnrolmentService, type SimulatedEnrolmentService } from '@espalier/simulator';
import { openSqliteStore } from '@espalier/sqlite';
import { type SimulatedApple, TOPIC } from './apple.ts';

/** Where the story happens. */
export interface AdeWorld {
  readonly engine: Engine;
  readonly url: string;
  /** The server's root certificate, DER. */
  readonly root: Uint8Array;
  /** Apple's service, and our client of it. */
  readonly service: SimulatedEnrolmentService;
  readonly client: EnrolmentClient;
  /** The account's server token, as text. */
  readonly token: { readonly text: string; readonly expiresAt: number };
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
  const pair = await createTokenKeyPair({ clock: Date });
  const token = openServerToken(service.downloadToken(pair.certificate), pair);
  const client = createEnrolmentClient({ token, clock: Date, fetch: service.fetch });

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
  const host = createHost({
    engine,
    ca: data.ca,
    identity: { anchors: [data.ca.certificate], sources: ['mdm-signature', 'tls'] },
    profile: { organisation: 'Espalier', topic: TOPIC, sign: data.signProfile },
    ade: { anchors: [builtIn.certificate] },
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
  return {
    engine,
    url: `https://localhost:${listening.port}`,
    root: data.ca.certificate,
    service,
    client,
    token: { text: JSON.stringify(token), expiresAt: token.accessTokenExpiry.getTime() },
    async sign(serialNumber, machineInfo) {
      const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
      const certificate = await issuer.issue({ subject: `CN=${serialNumber}`, publicKey, template: 'device' });
      return signCms(machineInfo, { certificate, privateKey });
    },
    async close() {
      await listening.close();
      await engine.stop();
      await apns.close();
      await store.close();
      await data.close();
    },
  };
}
