// The gate in front of the library: bounds and strict DER, checked in one pass before it builds an object per value.
import { PkiError } from '../errors.ts';
import type { BerLimits } from './ber.ts';
import { booleanOf, type DerNode, DerReader, derError, integerOf, oidOf, readRoot } from './reader.ts';
import { BOOLEAN, ENUMERATED, INTEGER, OBJECT_IDENTIFIER } from './tags.ts';

/**
 * Throws unless `bytes` is one DER value within the limits, with every BOOLEAN, INTEGER and OBJECT IDENTIFIER in its only
 * form.
 *
 * @throws PkiError `pki.der.invalid`, `pki.der.ber`, `pki.der.too_deep`, `pki.der.too_large`.
 */
export function checkDer(bytes: Uint8Array, limits: BerLimits): void {
  if (bytes.length > limits.maxBytes) {
    throw new PkiError('pki.der.too_large', `more than ${limits.maxBytes} bytes`, { kind: 'too-large' });
  }
  let left = limits.maxNodes;
  const check = (node: DerNode, depth: number): void => {
    if (depth > limits.maxDepth)
      throw derError(`nested deeper than ${limits.maxDepth}`, node.start, 'pki.der.too_deep');
    if (left-- <= 0) throw derError(`more than ${limits.maxNodes} values`, node.start, 'pki.der.too_large');
    if (node.tag === BOOLEAN) booleanOf(node);
    else if (node.tag === INTEGER || node.tag === ENUMERATED) integerOf(node);
    else if (node.tag === OBJECT_IDENTIFIER) oidOf(node);
    if ((node.tag & 0x20) === 0) return;
    for (const reader = new DerReader(node); !reader.done; ) check(reader.next(), depth + 1);
  };
  check(readRoot(bytes), 0);
}
