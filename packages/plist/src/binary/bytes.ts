// Bytes written one after another into a buffer that grows.

export class ByteWriter {
  bytes: Uint8Array;
  view: DataView;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `size` more bytes; returns where they go. */
  take(size: number): number {
    const at = this.length;
    this.length = at + size;
    if (this.length > this.bytes.length) this.grow();
    return at;
  }

  private grow(): void {
    const bytes = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  byte(value: number): void {
    const at = this.take(1);
    this.bytes[at] = value;
  }

  /** Writes an unsigned number, up to 2^53, in `size` bytes. */
  unsigned(value: number, size: number): void {
    const at = this.take(size);
    switch (size) {
      case 1:
        this.bytes[at] = value;
        break;
      case 2:
        this.view.setUint16(at, value);
        break;
      case 4:
        this.view.setUint32(at, value);
        break;
      default:
        this.view.setBigUint64(at, BigInt(value));
    }
  }

  /** What was written, in a buffer of exactly that size. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }
}
