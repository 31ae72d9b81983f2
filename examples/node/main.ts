// The MDM server on Node's own HTTPS server: one page that puts the parts together.
import { createServer } from 'node:https';
import { createApnsClient } from '@espalier/apple-mdm';
import { createEngine } from '@espalier/core';
import {
  createAdeService,
  createAppsService,
  createHost,
  createLogger,
  createWebhooks,
  hostSources,
  openDataFolder,
} from '@espalier/host';
import {
  listen,
  listenForMetrics,
  type RunningServer,
  runFromCommandLine,
  type ServerOptions,
  toNodeListener,
} from '@espalier/host/node';
import { createCompiler } from '@espalier/policy';
import { openPostgresStore } from '@espalier/postgres';
import { openSqliteStore } from '@espalier/sqlite';

/** Starts the server on a data folder, which is made if it is not there. */
export async function start(options: ServerOptions): Promise<RunningServer> {
  const logger = createLogger({ level: options.logLevel ?? 'info' });

  // What makes this server itself: keys, CA, TLS certificate, admin token.
  const data = await openDataFolder(options.data, options);

  // The engine: everything that is kept and decided.
  const store = options.database
    ? await openPostgresStore(options.database)
    : openSqliteStore(data.file('espalier.sqlite'));
  const apns = options.apns && createApnsClient(options.apns);
  const engine = createEngine({
    store,
    keys: data.keys,
    // Without --apns-certificate: the push certificate that the admin API imports.
    ...(apns ? { push: apns } : { openPush: createApnsClient }),
    compile: createCompiler({ recoveryKeyCertificate: data.escrowIdentity.certificate }),
    // Macs encrypt their FileVault recovery keys to it (`filevault-escrow`).
    escrowIdentity: data.escrowIdentity,
    signProfile: data.signProfile,
    ...hostSources(() => host),
    logger,
  });

  // A store that was written with another master key is refused before anybody is let in.
  await engine.ready();

  // Tells other systems of events; endpoints are added by the admin API.
  const webhooks = createWebhooks({ engine, store, keys: data.keys, logger });

  // Devices that come from Apple by themselves: accounts are linked, and profiles written, by the admin API.
  const adeService = createAdeService({
    engine,
    store,
    keys: data.keys,
    publicUrl: () => options.publicUrl ?? `https://localhost:${listening.port}`,
    anchors: [data.ca.certificate],
    logger,
  });

  // Apps and Books: locations are linked, and apps assigned, by the admin API.
  const appsService = createAppsService({
    engine,
    store,
    keys: data.keys,
    name: options.organisation ?? 'Espalier',
    ...(options.publicUrl ? { publicUrl: options.publicUrl } : {}),
    logger,
  });

  // The host: the engine as one function from Request to Response.
  const host = createHost({
    engine,
    ca: data.ca,
    rollover: data.rollover,
    identity: { anchors: [data.ca.certificate], sources: ['mdm-signature', 'tls'] },
    profile: {
      organisation: options.organisation ?? 'Espalier',
      topic:
        options.apns?.topic ??
        (async () => (await engine.pushCertificates.get())?.topic ?? 'com.apple.mgmt.External.none'),
      sign: data.signProfile,
    },
    webhooks,
    adeService,
    appsService,
    adminTokens: [data.adminTokenHash, ...(options.adminTokens ?? [])],
    sessionSecret: data.sessionSecret,
    ...(options.publicUrl ? { publicUrl: options.publicUrl } : {}),
    logger,
  });

  // Any client certificate is let through TLS; the host decides which it trusts.
  const server = createServer(
    { ...data.tls, requestCert: true, rejectUnauthorized: false },
    toNodeListener(host.fetch),
  );
  const listening = await listen(server, options);
  const metrics = await listenForMetrics(engine.metrics, options);
  engine.start();
  webhooks.start();
  adeService.start();
  appsService.start();

  return {
    url: options.publicUrl ?? `https://localhost:${listening.port}`,
    adminToken: data.adminToken,
    engine,
    close: async () => {
      await listening.close();
      await metrics?.close();
      await webhooks.stop();
      await adeService.stop();
      await appsService.stop();
      await engine.stop();
      await apns?.close();
      await store.close();
      await data.close();
    },
  };
}

await runFromCommandLine(import.meta.url, start);
