// PKIOperation: from a pkiMessage to its CertRep.

import { DAY_MS, type RandomSource, timeOf } from '../clock.ts';
import { encryptEnvelope } from '../cms/enveloped.ts';
import { bundleCertificates } from '../cms/signed-write.ts';
import type { Bytes } from '../der/writer.ts';
import { isPkiError, PkiError } from '../errors.ts';
import { readPublicKey, spkiHash } from '../keys/keys.ts';
import type { Signer } from '../keys/signer.ts';
import { describeCertificate, parseCertificate, serialHex } from '../x509/certificate.ts';
import { type CertificateRequest, readCsr } from '../x509/csr.ts';
import { verifyTrust } from '../x509/trust.ts';
import { findNamed } from './lookup.ts';
import {
  encodeScepMessage,
  messageTypes,
  parseScepMessage,
  pkiStatuses,
  type ScepFailInfo,
  type ScepMessage,
} from './message.ts';
import { addressee, openRequest, type Responder } from './open.ts';
import { checkMessage, Refusal, readRequest, refusing } from './refusal.ts';
import type { ScepServerOptions } from './server.ts';
import { findTransaction, type Transaction } from './transactions.ts';
import type { ScepDecision, ScepEvent, ScepGrant, ScepPending } from './types.ts';

interface Context extends ScepServerOptions {
  readonly random: RandomSource;
  readonly maxBytes: number;
  readonly identity: { readonly certificate: Uint8Array; readonly signer: Signer };
}

/** An authority, and its list of what is revoked. */
type Authority = NonNullable<ScepServerOptions['earlier']>[number];

type Outcome =
  | { readonly type: 'certificates'; readonly certificates: readonly Uint8Array[]; readonly event: ScepEvent | null }
  | { readonly type: 'crl'; readonly crl: Uint8Array }
  | { readonly type: 'pending' };

/** An earlier authority that opens requests itself, where its key is at hand and can. */
function opener({ certificate, signer }: Authority): readonly { certificate: Uint8Array; signer: Signer }[] {
  const usable = signer?.decrypt !== undefined && readPublicKey(signer.publicKey).type === 'rsa';
  return usable ? [{ certificate, signer }] : [];
}

/** Makes the function that answers pkiMessages. It throws PkiError only for what is no pkiMessage at all. */
export function createPkiOperation(context: Context): (bytes: Uint8Array) => Promise<Uint8Array> {
  const { ca, store, clock, random, identity, onEvent } = context;
  const { earlier = [] } = context;
  const current: Authority = {
    certificate: ca.certificate,
    ...(context.crl === undefined ? {} : { crl: context.crl }),
  };
  const authorities = [current, ...earlier];
  const responders: readonly Responder[] = [identity, ...earlier.flatMap(opener)].map((responder) => ({
    ...responder,
    parsed: parseCertificate(responder.certificate),
  }));
  const registrars = new Set((context.registrars?.certificates ?? []).map((der) => parseCertificate(der).fingerprint));
  const isRegistrar = (message: ScepMessage): boolean => registrars.has(message.signer.fingerprint);

  return async (bytes) => {
    const message = parseScepMessage(bytes, context.maxBytes);
    if (!message.senderNonce) throw new PkiError('pki.scep.malformed', 'the message has no senderNonce');
    const base: Partial<ScepEvent> = { transactionId: message.transactionId };
    // Who asks an earlier authority knows no other one yet, and believes its answers only.
    let by: Pick<Responder, 'certificate' | 'signer'> = identity;
    try {
      checkMessage(message, context.allowSha1 ?? true);
      const addressed = addressee(message, context, responders);
      by = addressed.responder;
      const opened = await openRequest(addressed, context);
      const outcome = await process(message, opened.content);
      if (outcome.type === 'pending') {
        onEvent?.({ ...base, type: 'pending' });
        return await reply(message, by, { pkiStatus: pkiStatuses.pending, envelope: null });
      }
      const content =
        outcome.type === 'crl' ? bundleCertificates([], [outcome.crl]) : bundleCertificates(outcome.certificates);
      const { cipher, keyTransport } = opened;
      const envelope = encryptEnvelope(content, { recipients: [message.signer.der], cipher, keyTransport, random });
      const answer = await reply(message, by, { pkiStatus: pkiStatuses.success, envelope });
      if (outcome.type === 'certificates' && outcome.event) onEvent?.({ ...base, ...outcome.event });
      return answer;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { failInfo, code } = error;
      onEvent?.({ ...base, type: 'refused', code, message: error.message, failInfo });
      return await reply(message, by, { pkiStatus: pkiStatuses.failure, failInfo, envelope: null });
    }
  };

  async function reply(
    message: ScepMessage,
    { certificate, signer }: Pick<Responder, 'certificate' | 'signer'>,
    content: { readonly pkiStatus: number; readonly failInfo?: ScepFailInfo; readonly envelope: Uint8Array | null },
  ): Promise<Bytes> {
    return encodeScepMessage({
      ...content,
      ...{ certificate, signer },
      messageType: messageTypes.certRep,
      transactionId: message.transactionId,
      senderNonce: random(16),
      recipientNonce: message.senderNonce!,
      hash: message.digest === 'sha1' ? 'sha256' : message.digest,
    });
  }

  function process(message: ScepMessage, content: Uint8Array): Promise<Outcome> {
    switch (message.messageType) {
      case messageTypes.pkcsReq:
        return isRegistrar(message)
          ? register(message, readRequest(content, message, false))
          : enrol(message, readRequest(content, message, true));
      case messageTypes.renewalReq:
        return renew(message, readRequest(content, message, false));
      case messageTypes.certPoll:
        return poll(message);
      case messageTypes.getCert:
        return getCert(message, content);
      case messageTypes.getCrl:
        return getCrl(message, content);
      default:
        throw new Refusal('badRequest', 'pki.scep.message_type', `messageType ${message.messageType} is not supported`);
    }
  }

  async function enrol(message: ScepMessage, csr: CertificateRequest): Promise<Outcome> {
    const { approve, delegate } = context;
    const offered = csr.challengePassword ?? '';
    const challenge = context.authorise || (approve && offered === '') ? null : offered;
    const transaction = await locate(message, csr.publicKeyHash, challenge);
    if (transaction.certificate) return replayed(transaction.certificate, csr.publicKeyHash);
    const decided = await decidedBefore(message, csr, csr.publicKeyHash);
    if (decided) {
      const { decision, paidByChallenge } = decided;
      return decide(transaction.key, message, csr, csr.publicKeyHash, decision, paidByChallenge ? challenge : null);
    }
    let decision: ScepDecision;
    let paidWith = challenge;
    const { transactionId } = message;
    if (context.authorise) decision = await context.authorise({ transactionId, csr });
    else if (approve && challenge === null) decision = await approve({ transactionId, csr, grant: null });
    else {
      const grant = offered !== '' && offered.length <= 1024 ? await store.findChallenge(offered) : null;
      if (!grant && delegate && offered !== '') {
        decision = await delegate({ transactionId, csr });
        paidWith = null;
      } else if (!grant) decision = { decision: 'refuse', reason: 'unknown, expired or used challenge' };
      else decision = approve ? await approve({ transactionId, csr, grant }) : { decision: 'issue', grant };
    }
    return decide(transaction.key, message, csr, csr.publicKeyHash, decision, paidWith);
  }

  /** What was decided on this very request while it waited: sent again, it is a poll. */
  async function decidedBefore(
    message: ScepMessage,
    csr: CertificateRequest,
    owner: string,
  ): Promise<{ readonly decision: ScepDecision; readonly paidByChallenge?: boolean } | null> {
    const waiting = await store.findPending?.(message.transactionId, owner);
    if (!waiting || waiting.decision.decision === 'pending') return null;
    return Buffer.compare(waiting.csr, csr.der) === 0 ? waiting : null;
  }

  /** A request that a registration authority sends for somebody else. */
  async function register(message: ScepMessage, csr: CertificateRequest): Promise<Outcome> {
    // It is believed by its configuration, but not beyond its end.
    refusing('badRequest', () =>
      verifyTrust(message.signer.der, { anchors: [message.signer.der], now: timeOf(clock), allowSha1: true }),
    );
    // The transaction is the registration authority's: its polls name the transaction, but not the requester's key.
    const owner = spkiHash(message.signer.spki);
    const transaction = await locate(message, owner, null);
    if (transaction.certificate) return replayed(transaction.certificate, csr.publicKeyHash);
    const registrar = describeCertificate(message.signer);
    const { transactionId } = message;
    const decision =
      (await decidedBefore(message, csr, owner))?.decision ??
      (await context.registrars!.authorise({ transactionId, csr, registrar }));
    return decide(transaction.key, message, csr, owner, decision, null);
  }

  async function decide(
    key: string,
    message: ScepMessage,
    csr: CertificateRequest,
    owner: string,
    decision: ScepDecision,
    challenge: string | null,
  ): Promise<Outcome> {
    const held = { transactionId: message.transactionId, publicKeyHash: owner, csr: csr.der };
    if (decision.decision === 'refuse') {
      throw new Refusal('badRequest', 'pki.scep.refused', decision.reason ?? 'the request was refused');
    }
    const paid = challenge === null ? {} : { paidByChallenge: true };
    if (decision.decision === 'pending') return hold({ ...held, ...paid });
    try {
      return await issue(key, message, csr, owner, decision.grant, challenge);
    } catch (error) {
      if (!isPkiError(error, 'pki.ca.pending')) throw error;
      return hold({ ...held, decision, ...paid });
    }
  }

  /** What waits already, and is asked about again. */
  async function orPending(attempt: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await attempt();
    } catch (error) {
      if (!isPkiError(error, 'pki.ca.pending')) throw error;
      return { type: 'pending' };
    }
  }

  async function hold(request: ScepPending): Promise<Outcome> {
    if (!store.hold) throw new PkiError('pki.scep.store', 'the store cannot hold requests', { kind: 'internal' });
    await store.hold(request);
    return { type: 'pending' };
  }

  async function renew(message: ScepMessage, csr: CertificateRequest): Promise<Outcome> {
    const { renewal } = context;
    if (!renewal) throw new Refusal('badRequest', 'pki.scep.no_renewal', 'renewals are not accepted');
    checkIssuedHere(message, (renewal.graceDays ?? 0) * DAY_MS, renewal.previousCas ?? []);
    const transaction = await locate(message, csr.publicKeyHash, null);
    if (transaction.certificate) return replayed(transaction.certificate, csr.publicKeyHash);
    const certificate = describeCertificate(message.signer);
    const grant = await renewal.authorise({ transactionId: message.transactionId, csr, certificate });
    if (!grant) throw new Refusal('badRequest', 'pki.scep.refused', 'the renewal was refused');
    try {
      return await issue(transaction.key, message, csr, csr.publicKeyHash, grant, null, certificate.der);
    } catch (error) {
      if (!isPkiError(error, 'pki.ca.pending')) throw error;
      // Polls are signed with the present identity, so they find it under that key.
      const decision = { decision: 'issue', grant } as const;
      const { transactionId } = message;
      const publicKeyHash = spkiHash(message.signer.spki);
      return hold({ transactionId, publicKeyHash, csr: csr.der, decision, renews: certificate.der });
    }
  }

  async function poll(message: ScepMessage): Promise<Outcome> {
    const publicKeyHash = spkiHash(message.signer.spki);
    const transaction = await locate(message, publicKeyHash, null);
    if (transaction.certificate) return replayed(transaction.certificate, publicKeyHash);
    const waiting = await store.findPending?.(message.transactionId, publicKeyHash);
    if (!waiting) throw new Refusal('badCertId', 'pki.scep.no_transaction', 'there is no such transaction');
    if (waiting.decision.decision === 'pending') return { type: 'pending' };
    const csr = readCsr(waiting.csr);
    const { decision, renews } = waiting;
    if (renews && decision.decision === 'issue') {
      return orPending(() => issue(transaction.key, message, csr, csr.publicKeyHash, decision.grant, null, renews));
    }
    const challenge = waiting.paidByChallenge ? (csr.challengePassword ?? '') : null;
    return decide(transaction.key, message, csr, publicKeyHash, decision, challenge);
  }

  async function getCert(message: ScepMessage, content: Uint8Array): Promise<Outcome> {
    checkIssuedHere(message, 0, []);
    const { found } = await findNamed(content, store, authorities);
    if (!found) throw new Refusal('badCertId', 'pki.scep.no_certificate', 'there is no such certificate');
    return { type: 'certificates', certificates: [found.certificate], event: null };
  }

  /** The list of the authority whose certificate is asked about (RFC 8894, 3.3.4). */
  async function getCrl(message: ScepMessage, content: Uint8Array): Promise<Outcome> {
    checkIssuedHere(message, 0, []);
    const { named, found } = await findNamed(content, store, authorities);
    // A number that is not known here is of the only authority of that name, or of the one in force.
    const asked: Authority | undefined = found?.authority ?? named[0];
    if (!asked) throw new Refusal('badCertId', 'pki.scep.no_certificate', 'there is no such authority');
    if (!asked.crl) throw new Refusal('badRequest', 'pki.scep.no_crl', 'there is no CRL here');
    return { type: 'crl', crl: await asked.crl() };
  }

  /** The signer of this message must hold a certificate of this authority, or of an earlier one. */
  function checkIssuedHere(message: ScepMessage, graceMs: number, previous: readonly Uint8Array[]): void {
    refusing('badRequest', () =>
      verifyTrust(message.signer.der, {
        anchors: [...authorities.map(({ certificate }) => certificate), ...previous],
        now: timeOf(clock),
        graceMs,
      }),
    );
  }

  function locate(message: ScepMessage, publicKeyHash: string, challenge: string | null): Promise<Transaction> {
    return findTransaction(store, message.transactionId, publicKeyHash, challenge, timeOf(clock));
  }

  async function issue(
    key: string,
    message: ScepMessage,
    csr: CertificateRequest,
    owner: string,
    grant: ScepGrant,
    challenge: string | null,
    renews?: Uint8Array,
  ): Promise<Outcome> {
    const { publicKey, publicKeyHash } = csr;
    const replaced = renews === undefined ? undefined : describeCertificate(parseCertificate(renews));
    const { transactionId } = message;
    let certificate: Uint8Array;
    try {
      const contents = await context.contents?.({
        transactionId,
        csr,
        grant,
        ...(replaced ? { renews: replaced } : {}),
      });
      const validityDays = contents?.validityDays ?? grant.validityDays ?? context.validityDays;
      // A renewal keeps the identity: a device does not choose itself another name.
      const [subject, sans] = replaced
        ? [replaced.subjectDer, replaced.sans]
        : [csr.subjectDer, context.allowRequestedSans ? csr.sans : []];
      certificate = await ca.issue({
        publicKey,
        csr: csr.der,
        subject: contents?.subject ?? grant.subject ?? subject,
        sans: contents?.sans ?? grant.sans ?? sans,
        template: contents?.template ?? context.template ?? 'device',
        ...(contents?.extensions ? { extensions: contents.extensions } : {}),
        ...(validityDays === undefined ? {} : { validityDays }),
      });
    } catch (error) {
      if (!(error instanceof PkiError) || error.kind !== 'invalid') throw error;
      throw new Refusal(error.code.startsWith('pki.key.') ? 'badAlg' : 'badRequest', error.code, error.message);
    }
    // A renewal waits under the key of the certificate that it replaces.
    const waiter = renews ? spkiHash(parseCertificate(renews).spki) : owner;
    const entry = {
      ...{ challenge, transactionId: key, publicKeyHash: owner, certificate, grant },
      ...(renews ? { renews } : {}),
      waited: { transactionId: message.transactionId, publicKeyHash: waiter },
    };
    const outcome = await store.commit(entry);
    if (outcome.outcome === 'challenge-used') {
      throw new Refusal('badRequest', 'pki.scep.challenge_used', 'the challenge was used by another request');
    }
    return certificatesOutcome([outcome.certificate], outcome.outcome, publicKeyHash, grant.reference);
  }
}

const replayed = (certificate: Uint8Array, publicKeyHash: string): Outcome =>
  certificatesOutcome([certificate], 'replayed', publicKeyHash);

function certificatesOutcome(
  certificates: readonly [Uint8Array],
  type: 'issued' | 'replayed',
  publicKeyHash: string,
  reference?: string,
): Outcome {
  const serialNumber = serialHex(parseCertificate(certificates[0]).serial);
  return {
    type: 'certificates',
    certificates,
    event: { type, publicKeyHash, serialNumber, ...(reference === undefined ? {} : { reference }) },
  };
}
