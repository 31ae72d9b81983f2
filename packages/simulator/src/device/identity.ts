// How a device gets its identity: by ACME, or by SCEP with the same transaction for as long as it takes.
import {
  type FetchFunction,
  getScepServerInfo,
  PkiError,
  type PreparedScepRequest,
  prepareScepRequest,
  type ScepResult,
  type ScepServerInfo,
  sendScepRequest,
} from '@espalier/pki';
import { SimulatorError } from '../errors.ts';
import type { KeyPool } from '../key-pool.ts';
import type { RetryContext } from '../net/retry.ts';
import { sendWithRetry } from '../net/retry.ts';
import type { ConnectionState, DeviceRequest, DeviceResponse, Transport } from '../net/transport.ts';
import { makeAcmeKey, requestAcmeIdentity } from './acme.ts';
import type { AttestationService } from './attestation.ts';
import { type DeviceState, type MdmSettings, type ScepSettings, toBase64 } from './state.ts';

/** What getting an identity needs. */
export interface ScepContext extends RetryContext {
  readonly transport: Transport;
  readonly connection: ConnectionState;
  readonly userAgent: string;
  readonly now: () => number;
}

/** The same, and a way to send that goes on until there is an answer. */
export interface IdentityContext extends ScepContext {
  /** @throws SimulatorError `simulator.unreachable` */
  request(request: DeviceRequest): Promise<DeviceResponse>;
}

const subjectTypes: { readonly [name: string]: string } = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
};

/** A subject, as the certificate library takes it. */
export function subjectOf(subject: readonly (readonly [name: string, value: string])[]) {
  return subject.map(([name, value]) => [{ type: subjectTypes[name] ?? name, value }]);
}

/** The alternative names that a device asks for. */
export function namesOf({ dnsNames, otherNames = [] }: Pick<ScepSettings, 'dnsNames' | 'otherNames'>) {
  return [...dnsNames.map((value) => ({ type: 'dns' as const, value })), ...otherNames];
}

/** Makes the key that the profile asks for: PKCS#8 DER. */
export async function makeKey(mdm: Pick<MdmSettings, 'acme'>, keyPool: KeyPool): Promise<Uint8Array> {
  return mdm.acme === undefined ? await keyPool.take() : makeAcmeKey(mdm.acme);
}

/**
 * Gets the identity that a profile asks for, with a key that was made for it.
 * @throws SimulatorError `simulator.scep`, `simulator.acme`, `simulator.unreachable`
 */
export async function requestIdentityOf(
  mdm: Pick<MdmSettings, 'scep' | 'acme' | 'userEnrolment'>,
  privateKey: Uint8Array,
  device: DeviceState,
  attestation: AttestationService | undefined,
  context: ScepContext,
): Promise<Uint8Array> {
  if (mdm.scep !== null) return await requestIdentity(mdm.scep, privateKey, context);
  const { transport, connection, userAgent } = context;
  const request = (item: DeviceRequest): Promise<DeviceResponse> => {
    const headers = { ...item.headers, 'user-agent': userAgent };
    return sendWithRetry(() => transport.send({ ...item, headers }, connection), context);
  };
  const vouch = mdm.userEnrolment === true && attestation !== undefined ? withoutNames(attestation) : attestation;
  return await requestAcmeIdentity(mdm.acme!, privateKey, device, vouch, { ...context, request });
}

/** Of a User Enrolment Apple attests the system and the key, not which device it is. */
function withoutNames(service: AttestationService): AttestationService {
  return { attest: ({ serialNumber: _, udid: __, ...rest }) => service.attest(rest) };
}

/** The identity that a device now has, for a profile that renews it; the state changes once it is there. */
export async function renewIdentity(
  state: DeviceState,
  mdm: Pick<MdmSettings, 'scep' | 'acme' | 'userEnrolment'>,
  keyPool: KeyPool,
  attestation: AttestationService | undefined,
  context: ScepContext,
): Promise<void> {
  const privateKey = await makeKey(mdm, keyPool);
  const certificate = await requestIdentityOf(mdm, privateKey, state, attestation, context);
  state.privateKey = toBase64(privateKey);
  state.certificate = toBase64(certificate);
}

/**
 * Gets a certificate for the key. Whenever the network or the server fails, the same message goes out again; with the
 * same key the transaction is the same even after the process was restarted.
 *
 * @param privateKey RSA, PKCS#8 DER.
 * @returns the certificate, DER.
 * @throws SimulatorError `simulator.scep`, `simulator.unreachable`
 */
export async function requestIdentity(
  scep: ScepSettings,
  privateKey: Uint8Array,
  context: ScepContext,
): Promise<Uint8Array> {
  const endpoint = { url: scep.url, fetch: fetchThrough(context) };
  const server = await patiently(context, () =>
    getScepServerInfo({
      ...endpoint,
      ...(scep.name === undefined ? {} : { caIdentifier: scep.name }),
      ...(scep.caFingerprint === undefined ? {} : { caFingerprint: scep.caFingerprint }),
    }),
  );
  let request = await prepare(scep, privateKey, server, context);
  let result = await patiently(context, () => sendScepRequest(endpoint, server, request));
  for (let poll = 0; result.status === 'pending' && poll < scep.retries; poll++) {
    await context.sleep(scep.retryDelaySeconds * 1000);
    request = await request.poll();
    result = await patiently(context, () => sendScepRequest(endpoint, server, request));
  }
  return certificateOf(result);
}

function prepare(
  scep: ScepSettings,
  privateKey: Uint8Array,
  server: ScepServerInfo,
  context: ScepContext,
): Promise<PreparedScepRequest> {
  return prepareScepRequest({
    server,
    subject: subjectOf(scep.subject),
    sans: namesOf(scep),
    ...(scep.challenge === undefined ? {} : { challenge: scep.challenge }),
    privateKey,
    allowSha1: true, // devices take what older SCEP servers sign
    clock: { now: context.now },
  });
}

function certificateOf(result: ScepResult): Uint8Array {
  if (result.status === 'issued') return result.certificate;
  if (result.status === 'pending')
    throw new SimulatorError('simulator.scep', 'the SCEP server keeps the device waiting');
  throw new SimulatorError('simulator.scep', `the SCEP server refused: ${result.failInfo} ${result.text ?? ''}`.trim());
}

async function patiently<T>(context: ScepContext, task: () => Promise<T>): Promise<T> {
  const { attempts = 8, firstMs = 500, longestMs = 30_000 } = context.retry;
  for (let attempt = 1; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      if (error.kind !== 'unavailable') throw new SimulatorError('simulator.scep', error.message, { cause: error });
      if (attempt >= attempts) {
        throw new SimulatorError('simulator.unreachable', `SCEP: ${error.message}`, { cause: error });
      }
      const pause = Math.min(longestMs, firstMs * 2 ** (attempt - 1));
      await context.sleep(Math.round(pause * (0.75 + 0.5 * context.random())));
    }
  }
}

function fetchThrough({ transport, connection, userAgent }: ScepContext): FetchFunction {
  return async (request) => {
    const body = request.method === 'POST' ? new Uint8Array(await request.arrayBuffer()) : undefined;
    const answer: DeviceResponse = await transport.send(
      {
        method: request.method === 'POST' ? 'POST' : 'GET',
        url: request.url,
        headers: { ...Object.fromEntries(request.headers), 'user-agent': userAgent },
        ...(body === undefined ? {} : { body }),
      },
      connection,
    );
    const { 'content-type': type = '' } = answer.headers;
    const empty = answer.status === 204 || answer.status === 304; // such a Response may have no body
    return new Response(empty ? null : Uint8Array.from(answer.body), {
      status: answer.status,
      headers: { 'content-type': type },
    });
  };
}
