// What Apple checks of a push before it looks at the token.
// Source: Apple, "Sending notification requests to APNs" and "Handling notification responses from APNs".
import type { IncomingHttpHeaders } from 'node:http2';

/** A push that Apple refuses. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly timestamp?: number;
  readonly retryAfter?: number;
}

/** A push that is in order. */
export interface CheckedPush {
  readonly token: string;
  readonly topic: string;
  readonly mdm: string;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const maxPayload = 4096;

/** Checks method, path, headers and body. `topic` is the one that the certificate is for. */
export function checkRequest(
  headers: IncomingHttpHeaders,
  body: string,
  length: number,
  topic: string | undefined,
): CheckedPush | Refusal {
  if (headers[':method'] !== 'POST') return { status: 405, reason: 'MethodNotAllowed' };
  const path = String(headers[':path'] ?? '');
  if (!path.startsWith('/3/device/')) return { status: 404, reason: 'BadPath' };
  const token = path.slice('/3/device/'.length).toLowerCase();
  if (token === '') return bad('MissingDeviceToken');
  if (!/^(?:[0-9a-f]{2})+$/.test(token)) return bad('BadDeviceToken');
  const wanted = headers['apns-topic'];
  if (typeof wanted !== 'string' || wanted === '') return bad('MissingTopic');
  if (topic !== undefined && wanted !== topic) return bad('BadTopic');
  const problem = checkHeaders(headers);
  if (problem !== undefined) return bad(problem);
  if (length > maxPayload) return { status: 413, reason: 'PayloadTooLarge' };
  const mdm = magicOf(body);
  return mdm === undefined ? bad('PayloadEmpty') : { token, topic: wanted, mdm };
}

function checkHeaders(headers: IncomingHttpHeaders): string | undefined {
  const text = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  if (text('apns-push-type') !== 'mdm') return 'InvalidPushType';
  const id = text('apns-id');
  if (id !== undefined && !uuid.test(id)) return 'BadMessageId';
  const expiration = text('apns-expiration');
  if (expiration !== undefined && !/^\d{1,15}$/.test(expiration)) return 'BadExpirationDate';
  const priority = text('apns-priority');
  return priority !== undefined && !['1', '5', '10'].includes(priority) ? 'BadPriority' : undefined;
}

function magicOf(body: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined; // Apple has one reason for every payload that it cannot use
  }
  const { mdm } = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as { readonly mdm?: unknown };
  return typeof mdm === 'string' && mdm !== '' ? mdm : undefined;
}

function bad(reason: string): Refusal {
  return { status: 400, reason };
}
