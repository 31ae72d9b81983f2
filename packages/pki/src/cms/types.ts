// Limits and the outer frame shared by all CMS messages.
import { normaliseBer } from '../der/ber.ts';
import { contentOf, type DerNode, DerReader, openRoot } from '../der/reader.ts';
import { context, OCTET_STRING } from '../der/tags.ts';
import { type Bytes, concat, explicit, oid, sequence } from '../der/writer.ts';
import { PkiError } from '../errors.ts';

/** Bounds checked before a message is parsed. */
export interface CmsLimits {
  /** Default 16 MiB. */
  readonly maxBytes?: number;
  /** Default 64. */
  readonly maxCertificates?: number;
  /** Signers or recipients. Default 16. */
  readonly maxParties?: number;
}

export const defaultCmsLimits = { maxBytes: 16 * 1024 * 1024, maxCertificates: 64, maxParties: 16 } as const;

/** Runs a DER parser; input that turns out to be BER is normalised once and parsed again. */
export function parseLenient<T>(input: Uint8Array, maxBytes: number, parse: (der: Uint8Array) => T): T {
  if (!(input instanceof Uint8Array)) throw new PkiError('pki.cms.invalid', 'a CMS message is given as bytes');
  if (input.length > maxBytes) {
    throw new PkiError('pki.cms.too_large', `a CMS message of more than ${maxBytes} bytes`, { kind: 'too-large' });
  }
  try {
    return parse(input);
  } catch (error) {
    if (!(error instanceof PkiError && error.code === 'pki.der.ber')) throw error;
  }
  return parse(normaliseBer(input));
}

/** Opens a ContentInfo of the given type. */
export function openContentInfo(der: Uint8Array, type: string): DerReader {
  const outer = openRoot(der);
  const actual = outer.oid();
  if (actual !== type) {
    throw new PkiError('pki.cms.wrong_type', `a CMS message of type ${actual} where ${type} was expected`);
  }
  const box = outer.enter(context(0));
  outer.finish();
  const inner = box.sequence();
  box.finish();
  return inner;
}

/** A ContentInfo around `content`. */
export const contentInfo = (type: string, content: Uint8Array): Bytes => sequence(oid(type), explicit(0, content));

/** Content of `[n] IMPLICIT OCTET STRING`, also in pieces (constructed BER that kept its tag). */
export function implicitOctets(node: DerNode): Uint8Array {
  if ((node.tag & 0x20) === 0) return contentOf(node);
  return concat(
    new DerReader(node)
      .rest(100_000)
      .map((piece) => contentOf(new DerReader({ ...piece, contentStart: piece.start }).next(OCTET_STRING))),
  );
}
