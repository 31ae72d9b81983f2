// An OCSP responder (RFC 6960).
import type { BaseBlock } from 'asn1js';
import type { CertID, OCSPRequest } from 'pkijs';
import { type Clock, timeOf } from '../clock.ts';
import { checkDer } from '../der/gate.ts';
import { bitStringOf, openRoot, readRoot } from '../der/reader.ts';
import { SEQUENCE } from '../der/tags.ts';
import { type Bytes, explicit, sequence } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { defaultHash, digestOf, hashOf } from '../keys/algorithms.ts';
import { keyIdentifier, readPublicKey } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import { type Library, library } from '../library.ts';
import { oids } from '../oids.ts';
import { readBody } from '../scep/http.ts';
import { isSignedBy, type ParsedCertificate, parseCertificate, serialHex } from '../x509/certificate.ts';
import { readExtendedKeyUsage } from '../x509/extensions.ts';
import { bufferOf, signingWith, signValue } from '../x509/objects.ts';
import { type RevocationReason, reasonCodes } from './reasons.ts';

/** What is known of a certificate. */
export type CertificateStatus =
  | { readonly status: 'good' }
  | { readonly status: 'revoked'; readonly revokedAt: Date | number; readonly reason?: RevocationReason }
  /** This authority never issued it. */
  | { readonly status: 'unknown' };

/** What {@link createOcspResponder} needs. */
export interface OcspResponderOptions {
  /** Certificate of the authority whose certificates are answered for, DER. */
  readonly issuer: Uint8Array;
  /** Who signs: the authority itself, or a certificate it issued with the template `ocsp-responder`. */
  readonly responder: { readonly certificate: Uint8Array; readonly signer: Signer };
  /** Looks a certificate up by its serial number (lower-case hex). */
  readonly status: (serialNumber: string) => Promise<CertificateStatus>;
  readonly clock: Clock;
  /** How long an answer may be kept: nextUpdate - thisUpdate. Default one hour. */
  readonly lifetimeMs?: number;
}

/** An OCSP responder. */
export interface OcspResponder {
  /** Answers POST (`application/ocsp-request`) and GET (base64 as the last part of the path). */
  handle(request: Request): Promise<Response>;
  /** Answers one DER request with a DER response; never throws for what the request holds. */
  respond(request: Uint8Array): Promise<Bytes>;
}

const responseStatus = { malformedRequest: 1, internalError: 2, unauthorized: 6 } as const;
const maxRequestBytes = 16 * 1024;
const maxCertificates = 32;
const requestLimits = { maxBytes: maxRequestBytes, maxDepth: 16, maxNodes: 400 };

interface Asked {
  readonly certId: CertID;
  readonly ours: boolean;
  readonly serialNumber: string;
}

/**
 * Makes an OCSP responder. A request for certificates of other authorities only is answered `unauthorized`; a nonce is
 * given back.
 *
 * @throws PkiError `pki.ocsp.responder` when the signer's certificate is neither the authority's nor issued by it for
 * OCSP, `pki.ca.key_mismatch`.
 */
export function createOcspResponder(options: OcspResponderOptions): OcspResponder {
  const { clock, lifetimeMs = 3_600_000, responder } = options;
  const issuer = parseCertificate(options.issuer);
  const own = parseCertificate(responder.certificate);
  checkResponder(issuer, own, responder.signer);
  const issuerKey = openRoot(issuer.spki);
  issuerKey.sequence();
  const issuerKeyBits = bitStringOf(issuerKey.next());
  const hash = defaultHash(readPublicKey(responder.signer.publicKey));
  const responderId = bufferOf(keyIdentifier(own.spki));
  const certificates = own.fingerprint === issuer.fingerprint ? [] : [explicit(0, sequence(own.der))];

  function readAsked(certId: CertID): Asked {
    const digest = hashOf(certId.hashAlgorithm.algorithmId);
    const ours =
      digestOf(digest, issuer.subjectDer).equals(certId.issuerNameHash.valueBlock.valueHexView) &&
      digestOf(digest, issuerKeyBits).equals(certId.issuerKeyHash.valueBlock.valueHexView);
    return { certId, ours, serialNumber: serialHex(certId.serialNumber.valueBlock.valueHexView) };
  }

  async function respond(bytes: Uint8Array): Promise<Bytes> {
    const lib = await library();
    const { asn1js, pkijs } = lib;
    let request: OCSPRequest;
    let asked: readonly Asked[];
    try {
      request = readRequest(lib, bytes);
      asked = request.tbsRequest.requestList.map(({ reqCert }) => readAsked(reqCert));
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      return failure(lib, responseStatus.malformedRequest);
    }
    if (!asked.some(({ ours }) => ours)) return failure(lib, responseStatus.unauthorized);
    const now = Math.floor(timeOf(clock) / 1000) * 1000;
    const responses = await Promise.all(
      asked.map(async ({ certId, ours, serialNumber }) => {
        const found: CertificateStatus = ours ? await options.status(serialNumber) : { status: 'unknown' };
        return new pkijs.SingleResponse({
          certID: certId,
          certStatus: statusObject(lib, found),
          thisUpdate: new Date(now),
          nextUpdate: new Date(now + Math.floor(lifetimeMs / 1000) * 1000),
        });
      }),
    );
    const nonce = request.tbsRequest.requestExtensions?.find(({ extnID }) => extnID === oids.ocspNonce);
    if (nonce) nonce.critical = false;
    const data = new pkijs.ResponseData({
      responderID: new asn1js.OctetString({ valueHex: responderId }),
      producedAt: new Date(now),
      responses,
      ...(nonce ? { responseExtensions: [nonce] } : {}),
    });
    const signing = signingWith(lib, responder.signer, hash);
    const basic = await signValue(data.toSchema(true).toBER(), signing, ...certificates);
    return answer(lib, 0, basic);
  }

  return { respond, handle: (request) => answerHttp(request, respond) };
}

/** The HTTP side of a responder: POST, and GET with base64 in the path. */
async function answerHttp(request: Request, respond: OcspResponder['respond']): Promise<Response> {
  const headers = { 'content-type': 'application/ocsp-response', 'cache-control': 'no-store' };
  let bytes: Uint8Array;
  try {
    bytes = await readOcspHttp(request);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    const status = error.kind === 'too-large' ? 413 : error.code === 'pki.ocsp.method' ? 405 : 200;
    if (status !== 200) return new Response(`${error.code}\n`, { status });
    return new Response(failure(await library(), responseStatus.malformedRequest), { headers });
  }
  return new Response(await respond(bytes), { headers });
}

/**
 * One responder for several authorities at one address, as after a rollover: the first one that knows the authority of a
 * request answers it. A request that mixes certificates of several authorities is answered for one of them only, as RFC
 * 6960 has each answer signed for one.
 */
export function combineOcspResponders(responders: readonly OcspResponder[]): OcspResponder {
  async function respond(bytes: Uint8Array): Promise<Bytes> {
    for (const responder of responders) {
      const given = await responder.respond(bytes);
      if (!isUnauthorized(given)) return given;
    }
    return failure(await library(), responseStatus.unauthorized);
  }
  return { respond, handle: (request) => answerHttp(request, respond) };
}

/** An OCSPResponse that is nothing but the status `unauthorized`. */
const isUnauthorized = (response: Uint8Array): boolean =>
  Buffer.compare(response, Uint8Array.of(0x30, 0x03, 0x0a, 0x01, responseStatus.unauthorized)) === 0;

function checkResponder(issuer: ParsedCertificate, own: ParsedCertificate, signer: Signer): void {
  if (Buffer.compare(own.spki, Buffer.from(signer.publicKey)) !== 0) {
    throw new PkiError('pki.ca.key_mismatch', 'the signer is not the key of the responder’s certificate');
  }
  if (own.fingerprint === issuer.fingerprint) return;
  const usages = own.extensions.find((item) => item.oid === oids.extendedKeyUsage)?.value;
  const forOcsp = usages !== undefined && readExtendedKeyUsage(usages).includes(oids.ocspSigning);
  if (!forOcsp || Buffer.compare(own.issuerDer, issuer.subjectDer) !== 0 || !isSignedBy(own, issuer)) {
    throw new PkiError('pki.ocsp.responder', 'the authority has not entitled this certificate to answer for it', {
      remedy: 'Issue it with the template ocsp-responder.',
    });
  }
}

/** Reads a request behind this package's own limits: the library has none of size and takes any BER. */
function readRequest({ pkijs }: Library, bytes: Uint8Array): OCSPRequest {
  checkDer(bytes, requestLimits);
  let request: OCSPRequest;
  try {
    request = pkijs.OCSPRequest.fromBER(bytes);
  } catch (cause) {
    throw new PkiError('pki.ocsp.malformed', 'not an OCSP request', { cause });
  }
  const { requestList, requestExtensions = [] } = request.tbsRequest;
  if (requestList.length === 0 || requestList.length > maxCertificates) {
    throw new PkiError('pki.ocsp.malformed', `an OCSP request for ${requestList.length} certificates`);
  }
  if (new Set(requestExtensions.map(({ extnID }) => extnID)).size !== requestExtensions.length) {
    throw new PkiError('pki.ocsp.malformed', 'an extension appears twice');
  }
  const nonce = requestExtensions.find(({ extnID }) => extnID === oids.ocspNonce);
  if (nonce && nonce.extnValue.valueBlock.valueHexView.length > 130) {
    throw new PkiError('pki.ocsp.malformed', 'a nonce of unreasonable length');
  }
  return request;
}

async function readOcspHttp(request: Request): Promise<Uint8Array> {
  if (request.method === 'POST') return readBody(request, maxRequestBytes);
  if (request.method !== 'GET') throw new PkiError('pki.ocsp.method', 'OCSP uses GET and POST');
  if (request.url.length > maxRequestBytes * 2) {
    throw new PkiError('pki.ocsp.too_large', 'an OCSP request that is too large', { kind: 'too-large' });
  }
  let path: string;
  try {
    path = decodeURIComponent(new URL(request.url).pathname);
  } catch (cause) {
    throw new PkiError('pki.ocsp.malformed', 'the path is not well escaped', { cause });
  }
  // Base64 holds slashes, too: take the longest end of the path that is a whole SEQUENCE (all of them begin with M).
  for (let at = path.indexOf('/M'), tries = 0; at >= 0 && tries < 64; at = path.indexOf('/M', at + 1), tries++) {
    const text = path.slice(at + 1).replaceAll(' ', '+');
    const bytes = Buffer.from(text, 'base64');
    if (/^[A-Za-z0-9+/]+={0,2}$/.test(text) && isSequence(bytes)) return bytes;
  }
  throw new PkiError('pki.ocsp.malformed', 'the path holds no OCSP request');
}

function isSequence(bytes: Uint8Array): boolean {
  try {
    readRoot(bytes, SEQUENCE);
    return true;
  } catch (error) {
    if (error instanceof PkiError) return false;
    throw error;
  }
}

/** A CertStatus: the CHOICE is the library's caller's. */
function statusObject({ asn1js }: Library, found: CertificateStatus): BaseBlock {
  if (found.status !== 'revoked') {
    return new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: found.status === 'good' ? 0 : 2 } });
  }
  const { revokedAt, reason = 'unspecified' } = found;
  const valueDate = new Date(Math.floor(Number(revokedAt) / 1000) * 1000);
  const value: BaseBlock[] = [new asn1js.GeneralizedTime({ valueDate })];
  if (reason !== 'unspecified') {
    const code = new asn1js.Enumerated({ value: reasonCodes[reason] });
    value.push(new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [code] }));
  }
  return new asn1js.Constructed({ idBlock: { tagClass: 3, tagNumber: 1 }, value });
}

/** An OCSPResponse; `basic` is left out of failures. */
function answer({ asn1js, pkijs }: Library, status: number, basic?: Uint8Array): Bytes {
  const responseStatus = new asn1js.Enumerated({ value: status });
  const responseBytes =
    basic &&
    new pkijs.ResponseBytes({
      responseType: oids.ocspBasic,
      response: new asn1js.OctetString({ valueHex: bufferOf(basic) }),
    });
  const response = new pkijs.OCSPResponse({ responseStatus, ...(responseBytes ? { responseBytes } : {}) });
  return new Uint8Array(response.toSchema().toBER());
}

const failure = (lib: Library, status: number): Bytes => answer(lib, status);
