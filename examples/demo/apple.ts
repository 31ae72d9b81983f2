// The demo's stand-in for Apple: a push service, and the push certificate that the server shows to it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRootCa, generateKeyPair, openCa, toPem } from '@espalier/pki';
import { createSimulatedApns, type SimulatedApns } from '@espalier/simulator';

/** A simulated push service, and the files with which a server may talk to it. */
export interface SimulatedApple {
  readonly apns: SimulatedApns;
  readonly files: {
    readonly certificate: string;
    readonly privateKey: string;
    readonly origin: string;
    readonly ca: string;
  };
}

/** The topic of the push certificate. */
export const TOPIC = 'com.apple.mgmt.External.00000000-0000-4000-8000-00000000de70';

/** Starts it on loopback; the files are written into `folder`. */
export async function startApple(folder: string): Promise<SimulatedApple> {
  const root = await createRootCa({ subject: 'CN=Simulated Apple', clock: Date, key: { type: 'ec', curve: 'P-256' } });
  const ca = await openCa({ ...root, clock: Date });
  const issue = async (request: Omit<Parameters<typeof ca.issue>[0], 'publicKey'>) => {
    const { publicKey, privateKey } = await generateKeyPair({ type: 'ec', curve: 'P-256' });
    const certificate = await ca.issue({ ...request, publicKey });
    return { certificate: toPem(certificate), privateKey: toPem(privateKey, 'PRIVATE KEY') };
  };
  const server = await issue({
    subject: 'CN=localhost',
    sans: [
      { type: 'dns', value: 'localhost' },
      { type: 'ip', value: '127.0.0.1' },
    ],
    template: 'tls-server',
  });
  const push = await issue({ subject: `UID=${TOPIC},CN=APSP:demo`, template: 'apns-client' });
  const rootPem = toPem(root.certificate);
  const apns = await createSimulatedApns({ ...server, clientCa: rootPem });
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  return {
    apns,
    files: {
      certificate: file('push.pem', push.certificate),
      privateKey: file('push.key', push.privateKey),
      ca: file('apple-root.pem', rootPem),
      origin: apns.origin,
    },
  };
}
