// An OCSP responder (RFC 6960).
import { type Clock, timeOf } from '../clock.ts';
import {
  bitStringOf,
  contentOf,
  type DerNode,
  DerReader,
  encodingOf,
  integerOf,
  openRoot,
  readRoot,
} from '../der/reader.ts';
import { context, contextPrimitive, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE } from '../der/tags.ts';
import { type Bytes, bitString, explicit, generalizedTime, octets, oid, sequence, tlv } from '../der/writer.ts';
import { PkiError } from '../errors.ts';
import { defaultHash, digestOf, readDigest, signatureIdentifier } from '../keys/algorithms.ts';
import { keyIdentifier, readPublicKey } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import { oids } from '../oids.ts';
import { readBody } from '../scep/http.ts';
import { isSignedBy, type ParsedCertificate, parseCertificate, serialHex } from '../x509/certificate.ts';
import { decodeExtensions, encodeExtension, readExtendedKeyUsage } from '../x509/extensions.ts';
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

interface Asked {
  readonly certId: Uint8Array;
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
  const facts = readPublicKey(responder.signer.publicKey);
  const hash = defaultHash(facts);
  const algorithm = signatureIdentifier(facts.type, hash);
  const responderId = explicit(2, octets(keyIdentifier(own.spki)));
  const certificates = own.fingerprint === issuer.fingerprint ? [] : [explicit(0, sequence(own.der))];

  function readAsked(node: DerNode): Asked {
    const request = new DerReader(node);
    const certId = request.next(SEQUENCE);
    const id = new DerReader(certId);
    const digest = readDigest(id.next(SEQUENCE));
    const nameHash = contentOf(id.next(OCTET_STRING));
    const keyHash = contentOf(id.next(OCTET_STRING));
    const serialNumber = serialHex(integerOf(id.next(INTEGER)));
    id.finish();
    const ours =
      digestOf(digest, issuer.subjectDer).equals(nameHash) && digestOf(digest, issuerKeyBits).equals(keyHash);
    return { certId: encodingOf(certId), ours, serialNumber };
  }

  async function answerOne(asked: Asked, now: number): Promise<Bytes> {
    const found: CertificateStatus = asked.ours ? await options.status(asked.serialNumber) : { status: 'unknown' };
    return sequence(
      asked.certId,
      encodeStatus(found),
      generalizedTime(now),
      explicit(0, generalizedTime(now + lifetimeMs)),
    );
  }

  async function respond(bytes: Uint8Array): Promise<Bytes> {
    let parsed: { readonly asked: readonly Asked[]; readonly nonce: Uint8Array | null };
    try {
      parsed = readRequest(bytes, readAsked);
    } catch (error) {
      if (!(error instanceof PkiError)) throw error;
      return failure(responseStatus.malformedRequest);
    }
    if (!parsed.asked.some(({ ours }) => ours)) return failure(responseStatus.unauthorized);
    const now = timeOf(clock);
    const answers = await Promise.all(parsed.asked.map((asked) => answerOne(asked, now)));
    const nonce = parsed.nonce && encodeExtension({ oid: oids.ocspNonce, critical: false, value: parsed.nonce });
    const data = sequence(
      responderId,
      generalizedTime(now),
      sequence(...answers),
      ...(nonce ? [explicit(1, sequence(nonce))] : []),
    );
    const signature = bitString(await responder.signer.sign(data, hash));
    const basic = sequence(data, algorithm, signature, ...certificates);
    return sequence(tlv(ENUMERATED, Uint8Array.of(0)), explicit(0, sequence(oid(oids.ocspBasic), octets(basic))));
  }

  return {
    respond,
    async handle(request) {
      const headers = { 'content-type': 'application/ocsp-response', 'cache-control': 'no-store' };
      let bytes: Uint8Array;
      try {
        bytes = await readOcspHttp(request);
      } catch (error) {
        if (!(error instanceof PkiError)) throw error;
        const status = error.kind === 'too-large' ? 413 : error.code === 'pki.ocsp.method' ? 405 : 200;
        if (status !== 200) return new Response(`${error.code}\n`, { status });
        return new Response(failure(responseStatus.malformedRequest), { headers });
      }
      return new Response(await respond(bytes), { headers });
    },
  };
}

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

function readRequest(
  bytes: Uint8Array,
  readAsked: (node: DerNode) => Asked,
): { readonly asked: readonly Asked[]; readonly nonce: Uint8Array | null } {
  if (bytes.length > maxRequestBytes) throw new PkiError('pki.ocsp.too_large', 'an OCSP request that is too large');
  const outer = openRoot(bytes);
  const request = outer.sequence();
  outer.optional(context(0)); // a signature of the requester: answers are the same for everybody
  outer.finish();
  request.optional(context(0));
  request.optional(context(1));
  const asked = new DerReader(request.next(SEQUENCE)).rest(maxCertificates).map(readAsked);
  if (asked.length === 0) throw new PkiError('pki.ocsp.malformed', 'an OCSP request for nothing');
  const box = request.optional(context(2));
  request.finish();
  const extensions = box ? decodeExtensions(new DerReader(box).next(SEQUENCE)) : [];
  const nonce = extensions.find((extension) => extension.oid === oids.ocspNonce)?.value ?? null;
  if (nonce && nonce.length > 130) throw new PkiError('pki.ocsp.malformed', 'a nonce of unreasonable length');
  return { asked, nonce };
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

function encodeStatus(found: CertificateStatus): Bytes {
  if (found.status === 'good') return tlv(contextPrimitive(0));
  if (found.status === 'unknown') return tlv(contextPrimitive(2));
  const { revokedAt, reason = 'unspecified' } = found;
  const code = tlv(ENUMERATED, Uint8Array.of(reasonCodes[reason]));
  const reasonField = reason === 'unspecified' ? [] : [explicit(0, code)];
  return tlv(context(1), generalizedTime(Number(revokedAt)), ...reasonField);
}

const failure = (status: number): Bytes => sequence(tlv(ENUMERATED, Uint8Array.of(status)));
