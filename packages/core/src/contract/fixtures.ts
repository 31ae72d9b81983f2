// What the suite's tests are made of: times, enrolments, commands, polls.
import type { NewCertificate } from '../contracts/certificates.ts';
import type { NewCommand, PollInput, PollOutcome } from '../contracts/queue.ts';
import type { NewEvent } from '../contracts/shared.ts';
import type { Store } from '../contracts/store.ts';

/** The suite's first moment. */
export const T0 = Date.UTC(2026, 0, 1);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const backoff = { baseMs: MINUTE, maxMs: 8 * MINUTE };

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A fingerprint that stands for an enrolment's certificate. */
export function pinOf(id: string): string {
  return `pin-of-${id}`;
}

/** An event. */
export function event(type: NewEvent['type'], enrolmentId: string | null = null, at = T0): NewEvent {
  return { type, at, enrolmentId, data: { note: 'contract' } };
}

/** A certificate as it enters the register. */
export function certificate(name: string, options: Partial<NewCertificate> = {}): NewCertificate {
  return {
    fingerprint: name,
    serialNumber: `serial-${name}`,
    subject: `CN=${name}`,
    notBefore: T0,
    notAfter: T0 + HOUR,
    authorityKeyId: 'ca',
    certificate: bytes(`certificate ${name}`),
    invitationId: null,
    enrolmentId: null,
    attestation: null,
    deliveredAt: T0,
    credentialId: null,
    deviceId: null,
    ...options,
  };
}

/** Sends Authenticate for a device. */
export function authenticate(store: Store, id: string, options: { readonly pin?: string; readonly at?: number } = {}) {
  return store.enrolments.authenticate({
    id,
    kind: 'device',
    certificateFingerprint: options.pin ?? pinOf(id),
    at: options.at ?? T0,
    details: { udid: id, serialNumber: `serial-${id}`, osVersion: '18.3' },
    secrets: [],
    events: [event('enrolment.authenticated', id)],
  });
}

/** Sends TokenUpdate for a device, or with `user` for one of its user channels. */
export function tokenUpdate(
  store: Store,
  id: string,
  options: { readonly pin?: string; readonly at?: number; readonly user?: string } = {},
) {
  const { user } = options;
  return store.enrolments.tokenUpdate({
    id: user === undefined ? id : `${id}:${user}`,
    channel: user === undefined ? 'device' : 'user',
    kind: user === undefined ? 'device' : 'user',
    parent: user === undefined ? null : id,
    certificateFingerprint: options.pin ?? pinOf(id),
    at: options.at ?? T0,
    token: bytes(`token-${id}`),
    pushMagic: bytes(`magic-${id}`),
    topic: 'topic',
    details: {},
    secrets: [],
    firstEvents: [event('enrolment.active', id)],
    laterEvents: [event('enrolment.token-updated', id)],
  });
}

/** Enrols devices: Authenticate and TokenUpdate. */
export async function enrol(store: Store, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    await authenticate(store, id);
    await tokenUpdate(store, id);
  }
}

/** A command. */
export function command(commandUuid: string, options: Partial<NewCommand> = {}): NewCommand {
  return {
    commandUuid,
    requestType: 'DeviceInformation',
    body: { bytes: bytes(`body of ${commandUuid}`), sealed: false },
    priority: 0,
    notBefore: null,
    expiresAt: null,
    dedupeKey: null,
    onDuplicate: 'replace',
    maxAttempts: null,
    onError: 'fail',
    chain: null,
    origin: 'contract',
    push: true,
    followUp: false,
    ...options,
  };
}

/** Queues commands; gives how many enrolments each was queued for. */
export async function enqueue(
  store: Store,
  enrolmentIds: readonly string[],
  commands: readonly NewCommand[],
  at = T0,
): Promise<readonly number[]> {
  return (await store.queue.enqueue({ commands, enrolmentIds, at, events: [] })).queued;
}

/** What a device says in a poll. */
export interface Saying {
  readonly at?: number;
  readonly pin?: string;
  readonly answer?: readonly [commandUuid: string, status: NonNullable<PollInput['result']>['status']];
}

/** Polls. */
export function poll(store: Store, id: string, { at = T0, pin, answer }: Saying = {}): Promise<PollOutcome> {
  return store.queue.poll({
    enrolmentId: id,
    certificateFingerprint: pin ?? pinOf(id.split(':')[0] ?? id),
    at,
    backoff,
    ...(answer === undefined
      ? {}
      : {
          result: {
            commandUuid: answer[0],
            status: answer[1],
            response: { bytes: bytes(`${answer[1]} to ${answer[0]}`), sealed: false },
            errorChain: answer[1] === 'error' ? [{ code: 7, domain: 'Test', description: 'no' }] : [],
            event: event('command.acknowledged', id, at),
          },
        }),
  });
}

/** The command that a poll gives, by UUID. */
export async function next(store: Store, id: string, saying: Saying = {}): Promise<string | null> {
  const outcome = await poll(store, id, saying);
  return outcome.outcome === 'ok' ? (outcome.command?.commandUuid ?? null) : `refused: ${outcome.outcome}`;
}

/** Idles, then acknowledges everything; gives the commands in the order in which they came. */
export async function drain(store: Store, id: string, at = T0): Promise<string[]> {
  const seen: string[] = [];
  let uuid = await next(store, id, { at });
  while (uuid !== null && seen.length < 1_000) {
    seen.push(uuid);
    uuid = await next(store, id, { at, answer: [uuid, 'acknowledged'] });
  }
  return seen;
}

/** States of an enrolment's commands by UUID. */
export async function states(store: Store, id: string): Promise<Record<string, string>> {
  const { items } = await store.queue.list(id, { limit: 1_000 });
  return Object.fromEntries(items.map((entry) => [entry.commandUuid, entry.state]));
}

/** Types of all events, oldest first. */
export async function eventTypes(store: Store): Promise<string[]> {
  return (await store.events.since(0, 10_000)).map((stored) => stored.type);
}

/** What an action threw, as its code. */
export async function codeOf(action: Promise<unknown>): Promise<string> {
  try {
    await action;
    return 'nothing was thrown';
  } catch (error) {
    return String((error as { readonly code?: unknown }).code);
  }
}
