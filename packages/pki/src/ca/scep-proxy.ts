// A certificate authority behind another SCEP server: this side is its registration authority.
import { type Clock, type RandomSource, timeOf } from '../clock.ts';
import type { ContentCipher } from '../cms/ciphers.ts';
import { PkiError } from '../errors.ts';
import type { HashName } from '../keys/algorithms.ts';
import { importPrivateKey, type PrivateKeyInput } from '../keys/keys.ts';
import { sendScepRequest } from '../scep/client.ts';
import { type PreparedScepRequest, prepareScepMessage, type ScepResult } from '../scep/client-message.ts';
import { getScepServerInfo, type ScepServerInfo, type ScepServerInfoOptions } from '../scep/client-server-info.ts';
import { messageTypes } from '../scep/message.ts';
import { fingerprintSha256, isSignedBy, parseCertificate } from '../x509/certificate.ts';
import { readCsr } from '../x509/csr.ts';
import type { CertificateAuthority } from './authority.ts';
import { checkForwarded, checkIssued } from './forwarded.ts';

/** What {@link openScepProxy} needs. */
export interface ScepProxyOptions extends ScepServerInfoOptions {
  /**
   * The registration authority: an RSA identity that the upstream server trusts to ask for others. It signs the
   * messages, and the replies are encrypted to it.
   */
  readonly ra: { readonly certificate: Uint8Array; readonly privateKey: PrivateKeyInput };
  readonly clock: Clock;
  readonly random?: RandomSource;
  /**
   * The authority's certificate and its issuers, nearest first, DER: exactly these are shown and trusted, whatever else the
   * server sends. Default: what GetCACert gives.
   */
  readonly chain?: readonly Uint8Array[];
  /** Known from an earlier `getScepServerInfo`; default: asked for. */
  readonly server?: ScepServerInfo;
  /** How often to ask again, within one call, while the upstream server has not decided. Default: not at all. */
  readonly polling?: { readonly attempts: number; wait(attempt: number): Promise<void> };
  readonly cipher?: ContentCipher;
  readonly hash?: Exclude<HashName, 'sha1'>;
  /** Believe upstream replies signed with SHA-1, as some servers still send them. Default false. */
  readonly allowSha1?: boolean;
  /** Kinds of keys that the issuer certifies (some know RSA only). Default: both. */
  readonly keys?: readonly ('rsa' | 'ec')[];
  /** Fetches a fresh challenge password from the issuer, for whoever makes the CSR. */
  readonly challenge?: () => Promise<string>;
}

/** Waiting requests that are remembered. */
const maxWaiting = 1000;

/** An authority that another SCEP server stands behind. */
export interface ScepProxyAuthority extends CertificateAuthority {
  /** Asks the server for its certificates: `pki.ca.upstream` when the authority is not among them any more. */
  test(): Promise<void>;
  /** What the upstream server said of itself. */
  readonly server: ScepServerInfo;
}

/**
 * Opens an authority that forwards requests to another SCEP server, as its registration authority. A request is sent in
 * a transaction of its own, made of the CSR: sent again after a crash, it gets the certificate that it got before. What
 * comes back is checked against the request before anybody sees it.
 *
 * The upstream server must believe the registration authority (`registrars` of this package's own server), or find a
 * challenge of its own in the CSR (which only the holder of the key can put there: see `challenge`).
 *
 * @throws PkiError as `getScepServerInfo`, and `pki.scep.key` for a registration authority without an RSA key. Issuing
 * throws `pki.ca.unsupported`, `pki.ca.refused` (kind `invalid`), `pki.ca.pending`, `pki.ca.upstream`,
 * `pki.scep.unreachable` (kind `unavailable`), `pki.ca.mismatch` (kind `internal`: the answer is for something else).
 */
export async function openScepProxy(options: ScepProxyOptions): Promise<ScepProxyAuthority> {
  const server = pinned(options.server ?? (await getScepServerInfo(options)), options.chain);
  if (importPrivateKey(options.ra.privateKey).asymmetricKeyType !== 'rsa') {
    throw new PkiError('pki.scep.key', 'SCEP needs a registration authority with an RSA key');
  }
  const ca = parseCertificate(server.ca);
  // Asked about by CertPoll next time. After a restart the request itself is sent again, in the same transaction.
  const waiting = new Map<string, PreparedScepRequest>();
  const running = new Map<string, Promise<Uint8Array>>();

  async function forward(csrDer: Uint8Array, transactionId: string): Promise<Uint8Array> {
    const csr = readCsr(csrDer);
    const { random, cipher, hash, allowSha1 } = options;
    let request = await prepareScepMessage({
      server,
      messageType: messageTypes.pkcsReq,
      csr: csr.der,
      subjectDer: csr.subjectDer,
      publicKey: csr.publicKey,
      transactionId,
      ...options.ra,
      ...(random ? { random } : {}),
      ...(cipher ? { cipher } : {}),
      ...(hash ? { hash } : {}),
      ...(allowSha1 === undefined ? {} : { allowSha1 }),
    });
    const known = waiting.get(transactionId);
    if (known) request = await known.poll();
    let result = await upstream(() => sendScepRequest(options, server, request));
    for (let attempt = 1; result.status === 'pending' && attempt <= (options.polling?.attempts ?? 0); attempt++) {
      await options.polling!.wait(attempt);
      request = await request.poll();
      result = await upstream(() => sendScepRequest(options, server, request));
    }
    waiting.delete(transactionId);
    if (result.status === 'pending') {
      if (waiting.size >= maxWaiting) for (const oldest of [...waiting.keys()].slice(0, 1)) waiting.delete(oldest);
      waiting.set(transactionId, request);
    }
    const certificate = certificateOf(result);
    checkIssued(certificate, csr, ca, timeOf(options.clock));
    return certificate;
  }

  return {
    certificate: Uint8Array.from(ca.der),
    chain: options.chain ? options.chain.slice(1).map((der) => Uint8Array.from(der)) : issuersOf(server),
    server,
    capabilities: { requestOnly: true, ...(options.keys ? { keys: options.keys } : {}) },
    ...(options.challenge ? { challenge: options.challenge } : {}),
    async test() {
      const now = await upstream(() => getScepServerInfo(options));
      if (!now.certificates.some((der) => Buffer.compare(der, ca.der) === 0)) {
        throw new PkiError('pki.ca.upstream', 'the SCEP server behind this authority has another authority now', {
          kind: 'unavailable',
          remedy: 'Open the authority anew, and keep the earlier one trusted (createCaSet).',
        });
      }
    },
    async issue(request) {
      const csr = checkForwarded(request, options.keys);
      const transactionId = fingerprintSha256(csr.der);
      // The same request twice at once is one request upstream.
      let answer = running.get(transactionId);
      if (!answer) {
        answer = forward(csr.der, transactionId).finally(() => running.delete(transactionId));
        running.set(transactionId, answer);
      }
      return Uint8Array.from(await answer);
    },
  };
}

/** The server's description with the uploaded authority as the one that issues. */
function pinned(server: ScepServerInfo, chain: readonly Uint8Array[] | undefined): ScepServerInfo {
  const own = chain?.[0];
  if (own === undefined) return server;
  const certificates = chain!.map((der) => parseCertificate(der));
  const inOrder = certificates.every(
    (item, index) => index === 0 || isSignedBy(certificates[index - 1]!, item, { allowSha1: true }),
  );
  if (!inOrder) {
    throw new PkiError('pki.ca.chain', 'the chain is not in order: each certificate must be issued by the next one');
  }
  if (!server.certificates.some((der) => Buffer.compare(der, own) === 0)) {
    throw new PkiError('pki.ca.chain', 'the SCEP server does not have the authority of the chain', {
      kind: 'unauthenticated',
    });
  }
  return { ...server, ca: Uint8Array.from(own) };
}

/** Issuers of the authority among the upstream server's certificates, nearest first. */
function issuersOf(server: ScepServerInfo): Uint8Array[] {
  const others = server.certificates.map((der) => parseCertificate(der));
  const chain: Uint8Array[] = [];
  let last = parseCertificate(server.ca);
  while (chain.length < 8 && Buffer.compare(last.issuerDer, last.subjectDer) !== 0) {
    const issuer = others.find(
      (item) => Buffer.compare(item.subjectDer, last.issuerDer) === 0 && isSignedBy(last, item, { allowSha1: true }),
    );
    if (!issuer) break;
    chain.push(Uint8Array.from(issuer.der));
    last = issuer;
  }
  return chain;
}

/** Whatever is wrong with the upstream server or the way to it is not the requester's fault. */
async function upstream<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof PkiError) || error.kind === 'unavailable') throw error;
    throw new PkiError('pki.ca.upstream', `the SCEP server behind this authority failed: ${error.message}`, {
      kind: 'unavailable',
      cause: error,
    });
  }
}

function certificateOf(result: ScepResult): Uint8Array {
  if (result.status === 'issued') return result.certificate;
  if (result.status === 'pending') {
    throw new PkiError('pki.ca.pending', 'the authority has not decided yet', {
      kind: 'unavailable',
      remedy: 'Send the very same request again later.',
    });
  }
  const { failInfo, text } = result;
  const said = text === undefined ? failInfo : `${failInfo} (${text.slice(0, 200)})`;
  // A message that is not understood, or from another time: the two servers disagree, whatever the request is.
  if (failInfo === 'badMessageCheck' || failInfo === 'badTime') {
    throw new PkiError('pki.ca.upstream', `the SCEP server behind this authority answered ${said}`, {
      kind: 'unavailable',
      remedy: 'Check the clock and the certificates of both servers, and open the authority anew.',
    });
  }
  throw new PkiError('pki.ca.refused', `the authority refused: ${said}`);
}
