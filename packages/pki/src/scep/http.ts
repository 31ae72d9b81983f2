// The HTTP side of SCEP (RFC 8894, 4): what a request asks for, with limits before anything is parsed.
import { PkiError } from '../errors.ts';

/** The operations of RFC 8894. */
export type ScepOperation = 'GetCACaps' | 'GetCACert' | 'GetNextCACert' | 'PKIOperation';
const operations: readonly ScepOperation[] = ['GetCACaps', 'GetCACert', 'GetNextCACert', 'PKIOperation'];

/** A SCEP request as HTTP carried it. */
export interface ScepHttpRequest {
  readonly operation: ScepOperation;
  /** The pkiMessage of PKIOperation. */
  readonly message: Uint8Array | null;
}

const tooLarge = (max: number): PkiError =>
  new PkiError('pki.scep.too_large', `a SCEP message of more than ${max} bytes`, { kind: 'too-large' });
const malformed = (message: string): PkiError => new PkiError('pki.scep.malformed', message);

/** Reads operation and message from a request. */
export async function readScepRequest(request: Request, maxBytes: number): Promise<ScepHttpRequest> {
  // Two thirds of an encoded '+' are overhead in the worst case: three characters for each base64 character.
  if (request.url.length > maxBytes * 4 + 4096) throw tooLarge(maxBytes);
  const parameters = new URL(request.url).searchParams;
  const asked = parameters.get('operation') ?? '';
  const operation = operations.find((name) => name.toLowerCase() === asked.toLowerCase());
  if (!operation) throw malformed('the operation parameter is missing or unknown');
  if (request.method !== 'GET' && request.method !== 'POST') {
    throw new PkiError('pki.scep.method', 'SCEP uses GET and POST');
  }
  if (operation !== 'PKIOperation') return { operation, message: null };
  if (request.method === 'POST') return { operation, message: await readBody(request, maxBytes) };
  return { operation, message: decodeMessage(parameters.get('message') ?? '', maxBytes) };
}

/** Base64 of the `message` parameter. Clients that forget to escape `+` send it as a space. */
function decodeMessage(parameter: string, maxBytes: number): Uint8Array {
  const text = parameter.replaceAll(' ', '+').replace(/[\r\n]/g, '');
  if (text.length > Math.ceil(maxBytes / 3) * 4) throw tooLarge(maxBytes);
  if (text === '' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw malformed('the message parameter is not base64');
  return Buffer.from(text, 'base64');
}

/** Reads a body, giving up as soon as it is larger than `maxBytes`. */
export async function readBody(request: Request | Response, maxBytes: number): Promise<Uint8Array> {
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > maxBytes) throw tooLarge(maxBytes);
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (request.body) {
    const reader = request.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > maxBytes) {
        await reader.cancel();
        throw tooLarge(maxBytes);
      }
      chunks.push(value);
    }
  }
  if (size === 0) throw malformed('the body is empty');
  return Buffer.concat(chunks);
}

const statusOf: Readonly<Record<PkiError['kind'], number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  unavailable: 503,
  internal: 500,
};

/** A plain-text answer for a request that is no SCEP message at all. */
export function errorResponse(error: PkiError): Response {
  // A signature that cannot even be looked at makes a bad request here: SCEP has no HTTP authentication.
  const status = error.code === 'pki.scep.method' ? 405 : error.kind === 'unauthenticated' ? 400 : statusOf[error.kind];
  const headers: Record<string, string> = { 'content-type': 'text/plain; charset=utf-8' };
  if (status === 405) headers['allow'] = 'GET, POST';
  if (status === 503) headers['retry-after'] = '30';
  return new Response(`${error.code}: ${error.message}\n`, { status, headers });
}

/** An answer with bytes. */
export const bytesResponse = (body: Uint8Array, contentType: string): Response =>
  new Response(Uint8Array.from(body), { headers: { 'content-type': contentType, 'cache-control': 'no-store' } });
