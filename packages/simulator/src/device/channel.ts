// The wire of one device: headers, signature, client certificate, retries, faults, and a record of every request.
import { signCms } from '@espalier/pki';
import { decodeDict, encodeXml } from '@espalier/plist';
import { platformOf } from '../catalogue.ts';
import type { Faults, Step } from '../faults.ts';
import { type RetryContext, sendWithRetry } from '../net/retry.ts';
import type { ConnectionState, DeviceRequest, DeviceResponse, Transport } from '../net/transport.ts';
import type { Random } from '../random.ts';
import { type DeviceState, fromBase64 } from './state.ts';

/** A request that a device has made. */
export interface RequestEvent {
  readonly udid: string;
  readonly kind: Step['kind'] | 'profile' | 'scep' | 'enrolling';
  /** The command that a result answers. */
  readonly requestType?: string;
  readonly url: string;
  /** 0 when no answer came. */
  readonly status: number;
  /** Milliseconds from sending to the whole answer. */
  readonly ms: number;
  /** 1 for the first try. */
  readonly attempt: number;
}

/** What a channel needs of the world. */
export interface ChannelOptions extends RetryContext {
  readonly transport: Transport;
  readonly now: () => number;
  /** Milliseconds that only grow, for durations. */
  readonly stopwatch: () => number;
  readonly faults: Faults | undefined;
  readonly faultRandom: Random;
  readonly onRequest: ((event: RequestEvent) => void) | undefined;
  /** Gets another token for an account-driven enrolment: the server does not take it any more (its challenge), or it is over. */
  readonly signInAgain: (why: { readonly challenge: string } | 'expired') => Promise<boolean>;
}

/** Content types by Apple's documentation of the check-in and command endpoints. */
const checkinType = 'application/x-apple-aspen-mdm-checkin';
const connectType = 'application/x-apple-aspen-mdm';

/** Sends a device's messages. */
export class Channel {
  readonly #state: DeviceState;
  readonly #options: ChannelOptions;
  /** Roots of an Automated Device Enrolment that is under way, base64. Set them before the first request. */
  anchors: readonly string[] = [];
  #last: DeviceRequest | undefined;
  #connection:
    | { readonly profiles: unknown; readonly certificate: string | null; readonly value: ConnectionState }
    | undefined;

  constructor(state: DeviceState, options: ChannelOptions) {
    this.#state = state;
    this.#options = options;
  }

  /** As mdmclient names itself on a Mac, and the other systems' client. */
  get userAgent(): string {
    return platformOf(this.#state.kind) === 'macOS' ? 'MDM-OSX/1.0 mdmclient/1551' : 'MDM/1.0';
  }

  /** The identity and the roots that the device goes by now: decoded once, since keys are costly to import. */
  connection(): ConnectionState {
    const { certificate, privateKey, profiles } = this.#state;
    if (this.#connection?.profiles === profiles && this.#connection.certificate === certificate) {
      return this.#connection.value;
    }
    const roots = [...profiles.flatMap((profile) => profile.certificates), ...this.anchors].map(fromBase64);
    const value: ConnectionState =
      certificate === null || privateKey === null
        ? { roots }
        : { roots, identity: { certificate: fromBase64(certificate), privateKey: fromBase64(privateKey) } };
    this.#connection = { profiles, certificate, value };
    return value;
  }

  /** Downloads a profile. */
  download(url: string): Promise<DeviceResponse> {
    const request: DeviceRequest = { method: 'GET', url, headers: { 'user-agent': this.userAgent, accept: '*/*' } };
    return sendWithRetry((attempt) => this.#sendOnce(request, { kind: 'profile' }, attempt), this.#options);
  }

  /** Any other request of an enrolment: discovery, sign-in, what gives the profile. */
  request(request: DeviceRequest): Promise<DeviceResponse> {
    const named = { ...request, headers: { 'user-agent': this.userAgent, ...request.headers } };
    return sendWithRetry((attempt) => this.#sendOnce(named, { kind: 'enrolling' }, attempt), this.#options);
  }

  /** The way to the SCEP server: as any other, and recorded. */
  scepTransport(): Transport {
    return {
      send: (request) => this.#sendOnce(request, { kind: 'scep' }, 1),
      close: () => this.#options.transport.close(),
    };
  }

  /** What the fault plan says of the next message. */
  plan(kind: Step['kind'], requestType?: string): ReturnType<Faults> {
    const step = { kind, number: this.#state.messages + 1, ...(requestType === undefined ? {} : { requestType }) };
    return this.#options.faults?.(step, this.#options.faultRandom);
  }

  /**
   * Sends a message until it is answered. In an account-driven enrolment it carries the user's token; when that is no
   * longer good the user signs in again, and the message follows.
   * @throws SimulatorError `simulator.unreachable`
   */
  async deliver(
    what: { readonly kind: Step['kind']; readonly requestType?: string },
    body: Uint8Array,
    fault: ReturnType<Faults> = undefined,
  ): Promise<DeviceResponse> {
    this.#state.messages++;
    const { account } = this.#state;
    const { expires } = account?.token ?? {};
    if (expires !== undefined && expires <= this.#options.now()) await this.#options.signInAgain('expired');
    const answer = await this.#deliverOnce(what, body, fault);
    const challenge = answer.headers['www-authenticate'];
    if (answer.status !== 401 || account === undefined || challenge === undefined) return answer;
    const again = await this.#options.signInAgain({ challenge });
    return again ? await this.#deliverOnce(what, body, undefined) : answer;
  }

  async #deliverOnce(
    what: { readonly kind: Step['kind']; readonly requestType?: string },
    body: Uint8Array,
    fault: ReturnType<Faults>,
  ): Promise<DeviceResponse> {
    const request = this.#request(what.kind, body);
    const earlier = this.#last;
    const altered = this.#altered(what.kind, body, request, fault);
    if (fault?.type === 'slow') await this.#options.sleep(fault.ms);
    const response = await sendWithRetry(async (attempt) => {
      const first = attempt === 1 ? fault?.type : undefined;
      if (first === 'drop-request') throw new Error('the request was dropped on purpose');
      if (first === 'replay' && earlier !== undefined) await this.#sendOnce(earlier, what, attempt);
      if (altered?.instead) return this.#sendOnce(altered.request, what, attempt);
      if (altered !== undefined && attempt === 1) await this.#sendOnce(altered.request, what, attempt);
      const answer = await this.#sendOnce(request, what, attempt);
      if (first === 'drop-response') throw new Error('the answer was dropped on purpose');
      return first === 'duplicate' ? this.#sendOnce(request, what, attempt) : answer;
    }, this.#options);
    this.#last = request;
    return response;
  }

  /** What arrives before the message, or in its place. */
  #altered(
    kind: Step['kind'],
    body: Uint8Array,
    request: DeviceRequest,
    fault: ReturnType<Faults>,
  ): { readonly request: DeviceRequest; readonly instead: boolean } | undefined {
    if (fault?.type === 'corrupt') return { request: fault.change(request), instead: fault.instead === true };
    if (fault?.type !== 'lie') return undefined;
    const lie = fault.change(decodeDict(body));
    const bytes = lie instanceof Uint8Array ? lie : encodeXml(lie);
    return { request: this.#request(kind, bytes), instead: fault.instead === true };
  }

  #request(kind: Step['kind'], body: Uint8Array): DeviceRequest {
    const { mdm } = this.#state;
    const { identity } = this.connection();
    const connect = kind === 'idle' || kind === 'result';
    const headers: { [name: string]: string } = {
      'content-type': connect ? connectType : checkinType,
      'user-agent': this.userAgent,
      accept: '*/*',
    };
    const token = this.#state.account?.token;
    if (token !== undefined && token !== null) headers['authorization'] = `Bearer ${token.accessToken}`;
    if (mdm?.signMessage && identity !== undefined) {
      const signature = signCms(body, { ...identity, detached: true, signingTime: this.#options.now() });
      headers['Mdm-Signature'] = Buffer.from(signature).toString('base64');
    }
    return { method: 'PUT', url: connect ? mdm!.serverUrl : mdm!.checkInUrl, headers, body };
  }

  async #sendOnce(
    request: DeviceRequest,
    what: { readonly kind: RequestEvent['kind']; readonly requestType?: string },
    attempt: number,
  ): Promise<DeviceResponse> {
    const start = this.#options.stopwatch();
    const report = (status: number): void =>
      this.#options.onRequest?.({
        udid: this.#state.udid,
        ...what,
        url: request.url,
        status,
        ms: this.#options.stopwatch() - start,
        attempt,
      });
    let response: DeviceResponse;
    try {
      response = await this.#options.transport.send(request, this.connection());
    } catch (error) {
      report(0);
      throw error;
    }
    report(response.status);
    return response;
  }
}
