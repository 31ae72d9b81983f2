// A device's way to the server that notes what was said: each answer, and which commands were acknowledged and heard.
import { decodeDict } from '@espalier/plist';
import { createNodeTransport, type Transport } from '@espalier/simulator';

/** One answer of the server. */
export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly ms: number;
}

/** What one device's connection has seen. */
export interface Notes {
  readonly transport: Transport;
  readonly answers: Answer[];
  /** Commands whose result the server has answered with 200. */
  readonly acknowledged: Set<string>;
  /** Commands that the server sent although their result was acknowledged before. */
  readonly deliveredAgain: string[];
  /** Requests without an answer. */
  readonly broken: string[];
}

/** Makes the way of one device. */
export function noteTaker(trustedRoots: readonly Uint8Array[]): Notes {
  const inner = createNodeTransport({ trustedRoots });
  const notes = { answers: [], acknowledged: new Set<string>(), deliveredAgain: [], broken: [] } as Omit<
    Notes,
    'transport'
  >;
  const uuidOf = (body: Uint8Array | undefined): string | undefined => {
    if (body === undefined || body.length === 0 || body[0] !== 0x3c) return undefined;
    const uuid = decodeDict(body)['CommandUUID'];
    return typeof uuid === 'string' ? uuid : undefined;
  };
  const transport: Transport = {
    async send(request, state) {
      const start = performance.now();
      try {
        const response = await inner.send(request, state);
        const { status, headers, body } = response;
        notes.answers.push({
          url: request.url,
          status,
          retryAfter: headers['retry-after'],
          ms: performance.now() - start,
        });
        if (status === 200 && request.url.endsWith('/mdm/connect')) {
          const answered = uuidOf(request.body);
          if (answered !== undefined) notes.acknowledged.add(answered);
          const offered = uuidOf(body);
          if (offered !== undefined && notes.acknowledged.has(offered)) notes.deliveredAgain.push(offered);
        }
        return response;
      } catch (error) {
        notes.broken.push(`${request.url}: ${String(error)}`);
        throw error;
      }
    },
    close: () => inner.close(),
  };
  return { transport, ...notes };
}
