// Which enrolment a message belongs to, so that a repeated request gets the certificate it got before.
import { createHash } from 'node:crypto';
import { parseCertificate, serialHex } from '../x509/certificate.ts';
import type { ScepStore } from './types.ts';

/** A transaction as the store knows it. */
export interface Transaction {
  /** The store's key: made of the client's transactionID, see {@link findTransaction}. */
  readonly key: string;
  /** The certificate issued in it before. */
  readonly certificate: Uint8Array | null;
}

const maxGenerations = 64;

/**
 * Finds the transaction of a message. Many clients derive the transactionID from their key alone, so it comes again when
 * the same key enrols anew: with another challenge, or after the first certificate has ended. Those are transactions of
 * their own; only the same request sent again is a replay.
 */
export async function findTransaction(
  store: Pick<ScepStore, 'findTransaction'>,
  transactionId: string,
  publicKeyHash: string,
  challenge: string | null,
  now: number,
): Promise<Transaction> {
  const mark = challenge === null ? '' : `/${createHash('sha256').update(challenge).digest('hex').slice(0, 32)}`;
  let key = transactionId + mark;
  for (let generation = 0; generation < maxGenerations; generation++) {
    const certificate = await store.findTransaction(key, publicKeyHash);
    if (!certificate) return { key, certificate: null };
    const parsed = parseCertificate(certificate);
    if (parsed.notAfter > now) return { key, certificate };
    key = `${transactionId}${mark}#${serialHex(parsed.serial)}`;
  }
  return { key, certificate: null };
}
