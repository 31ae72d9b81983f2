// Reads a request body within limits: the announced length first, then the true one as it arrives.
import { HostError } from '../errors.ts';

/** How much, and for how long, a body may be read. */
export interface BodyLimits {
  /** The largest body, in bytes. */
  readonly maxBytes: number;
  /** How long the whole body may take, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * The whole body. Never holds more than the limit plus one chunk.
 * @throws HostError `host.body.too_large` (413), `host.body.timeout` (408), `host.body.aborted` (400)
 */
export async function readBody(request: Pick<Request, 'headers' | 'body'>, limits: BodyLimits): Promise<Uint8Array> {
  checkAnnounced(request.headers.get('content-length'), limits);
  if (request.body === null) return new Uint8Array(0);

  const reader = request.body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), limits.timeoutMs);
  });
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const step = await Promise.race([read(reader), tooLong]);
      if (step === 'late') throw late(limits);
      if (step.done) break;
      length += step.value.byteLength;
      if (length > limits.maxBytes) throw tooLarge(limits);
      chunks.push(step.value);
    }
  } catch (error) {
    // What is left is of no use; letting it go frees the socket. Its own failure adds nothing to the first one.
    void reader.cancel(error).catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : join(chunks, length);
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (cause) {
    throw aborted(cause);
  }
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** Refuses a body by what its header says of it. @throws HostError `host.body.too_large` */
export function checkAnnounced(contentLength: string | null, limits: BodyLimits): void {
  if (contentLength !== null && /^\d+$/.test(contentLength) && Number(contentLength) > limits.maxBytes) {
    throw tooLarge(limits);
  }
}

/** The body did not come in time. */
export function late(limits: BodyLimits): HostError {
  return new HostError('invalid', 'host.body.timeout', `The body took longer than ${limits.timeoutMs} ms.`, {
    status: 408,
    headers: { connection: 'close' },
  });
}

/** The client went away in the middle of it. */
export function aborted(cause: unknown): HostError {
  return new HostError('invalid', 'host.body.aborted', 'The body ended before it was complete.', { cause });
}

/** More came than is taken. */
export function tooLarge(limits: BodyLimits): HostError {
  return new HostError('too-large', 'host.body.too_large', `The body is larger than ${limits.maxBytes} bytes.`, {
    headers: { connection: 'close' },
  });
}
