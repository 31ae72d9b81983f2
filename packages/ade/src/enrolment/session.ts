// Sessions of the device enrolment service: one at a time, started anew when Apple ends it.
import { randomBytes } from 'node:crypto';
import { AdeError } from '../errors.ts';
import type { Answer, Exchange, Sender } from '../http/exchange.ts';
import { jsonAnswer, lacking } from '../http/json.ts';
import type { ServerToken } from '../token/open.ts';
import { enrolmentError, errorName } from './errors.ts';
import { oauthHeader } from './oauth.ts';

/** What a session needs. */
export interface SessionOptions {
  readonly token: ServerToken;
  readonly origin: string;
  readonly userAgent: string;
  readonly protocolVersion: number;
  readonly sender: Sender;
  /** Random bytes, for the nonce. */
  readonly randomBytes?: (size: number) => Uint8Array;
}

/** What is sent in a session. */
export interface SessionRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body?: unknown;
  readonly repeatable: boolean;
}

/** Sends requests in a session. */
export interface Session {
  /** @throws AdeError for whatever is not a 2xx. */
  send(request: SessionRequest): Promise<Answer>;
}

const sessionHeader = 'X-ADM-Auth-Session';

/**
 * Makes a session. It starts with the first request, is shared by all, takes the renewed token that any answer may
 * carry, and starts again once for a request that is answered with 401, or with 403 and `FORBIDDEN`.
 */
export function createSession(options: SessionOptions): Session {
  const { token, sender, origin } = options;
  const random = options.randomBytes ?? randomBytes;
  let current: string | undefined;
  let starting: Promise<string> | undefined;

  const common = (): Headers =>
    new Headers({
      'User-Agent': options.userAgent,
      'X-Server-Protocol-Version': String(options.protocolVersion),
      Accept: 'application/json',
    });

  async function start(): Promise<string> {
    const url = new URL('/session', origin);
    const exchange: Exchange = {
      method: 'GET',
      url,
      repeatable: true,
      headers() {
        const headers = common();
        // Signed for each try: a nonce counts once.
        const header = oauthHeader({
          method: 'GET',
          url: url.href,
          realm: 'ADM',
          consumerKey: token.consumerKey,
          consumerSecret: token.consumerSecret,
          token: token.accessToken,
          tokenSecret: token.accessSecret,
          nonce: Buffer.from(random(16)).toString('hex'),
          timestamp: Math.floor(sender.now() / 1000),
        });
        headers.set('Authorization', header);
        return headers;
      },
    };
    const answer = await sender.send(exchange);
    if (answer.status !== 200) throw enrolmentError(answer, sender.now());
    const started = jsonAnswer(answer.text, 'device-enrolment', answer.status).text('auth_session_token');
    if (started === undefined || !/^[\x21-\x7e]{1,4096}$/.test(started)) {
      throw lacking('auth_session_token', 'device-enrolment');
    }
    return started;
  }

  /** The session to use, other than `refused`. */
  async function open(refused?: string): Promise<string> {
    if (current !== undefined && current !== refused) return current;
    // Requests at the same time share one start.
    starting ??= start().finally(() => {
      starting = undefined;
    });
    current = await starting;
    return current;
  }

  return {
    async send(request) {
      if (token.accessTokenExpiry.getTime() <= sender.now()) {
        throw new AdeError('ade.token.expired', 'the server token has expired', {
          kind: 'unauthenticated',
          remedy: 'Download a new server token for this server and give it.',
        });
      }
      let session = await open();
      for (let renewed = false; ; renewed = true) {
        const used = session;
        const answer = await sender.send({
          method: request.method,
          url: new URL(request.path, origin),
          repeatable: request.repeatable,
          headers() {
            const headers = common();
            headers.set(sessionHeader, used);
            if (request.body !== undefined) headers.set('Content-Type', 'application/json;charset=UTF8');
            return headers;
          },
          ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        });
        const next = answer.headers.get(sessionHeader);
        // Only if nothing newer came in the meantime.
        if (next !== null && next !== '' && current === used) current = next;
        if (answer.status >= 200 && answer.status < 300) return answer;
        if (renewed || !endsSession(answer)) throw enrolmentError(answer, sender.now());
        session = await open(used);
      }
    },
  };
}

/** 401, and 403 unless it says that something else is the matter. */
function endsSession(answer: Answer): boolean {
  if (answer.status === 401) return true;
  if (answer.status !== 403) return false;
  const name = errorName(answer.text);
  return name === undefined || name === 'FORBIDDEN';
}
