// Lays out a binary property list from its objects, with every number of the trailer open to be set wrong.

export interface Layout {
  /** The bytes of each object. */
  readonly objects: readonly (readonly number[])[];
  readonly root?: bigint;
  readonly count?: bigint;
  readonly table?: bigint;
  readonly offsetSize?: number;
  readonly declaredOffsetSize?: number;
  readonly referenceSize?: number;
  readonly offsets?: readonly number[];
  /** Bytes between the offset table and the trailer. */
  readonly gap?: number;
}

/** The document; whatever is not given is right. */
export function layOut(layout: Layout): Uint8Array {
  const parts: Buffer[] = [Buffer.from('bplist00')];
  let at = 8;
  const offsets: number[] = [];
  for (const object of layout.objects) {
    offsets.push(at);
    parts.push(Buffer.from(object));
    at += object.length;
  }
  const offsetSize = layout.offsetSize ?? (at < 256 ? 1 : at < 65_536 ? 2 : 4);
  for (const offset of layout.offsets ?? offsets) {
    const entry = Buffer.alloc(8);
    entry.writeBigUInt64BE(BigInt(offset));
    parts.push(entry.subarray(8 - offsetSize));
  }
  parts.push(Buffer.alloc(layout.gap ?? 0));
  const trailer = Buffer.alloc(32);
  trailer[6] = layout.declaredOffsetSize ?? offsetSize;
  trailer[7] = layout.referenceSize ?? 1;
  trailer.writeBigUInt64BE(layout.count ?? BigInt(layout.objects.length), 8);
  trailer.writeBigUInt64BE(layout.root ?? 0n, 16);
  trailer.writeBigUInt64BE(layout.table ?? BigInt(at), 24);
  parts.push(trailer);
  return Buffer.concat(parts);
}
