// Building blocks of the store's tests: enrolled devices, commands, answers.
import type { NewCommand, NewEvent, PollResult, Store } from '@espalier/core';

export const backoff = { baseMs: 1_000, maxMs: 60_000 };

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export const event = (type: NewEvent['type'], at: number, enrolmentId: string | null): NewEvent => ({
  type,
  at,
  enrolmentId,
  data: { note: `${type} at ${at}` },
});

/** A command with nothing special, but what is given. */
export function command(commandUuid: string, given: Partial<NewCommand> = {}): NewCommand {
  return {
    commandUuid,
    requestType: 'DeviceInformation',
    body: { bytes: bytes(`<plist>${commandUuid}</plist>`), sealed: false },
    priority: 0,
    notBefore: null,
    expiresAt: null,
    dedupeKey: null,
    onDuplicate: 'keep',
    maxAttempts: null,
    onError: 'fail',
    chain: null,
    origin: 'admin',
    push: true,
    followUp: false,
    ...given,
  };
}

/** A device's answer. */
export function answer(
  commandUuid: string,
  status: PollResult['status'] = 'acknowledged',
  given: Partial<PollResult> = {},
): PollResult {
  return {
    commandUuid,
    status,
    response: { bytes: bytes(`<plist>answer to ${commandUuid}</plist>`), sealed: false },
    errorChain: status === 'error' ? [{ code: 12, domain: 'MDMErrorDomain', description: 'no' }] : [],
    event: event('command.acknowledged', 5, null),
    ...given,
  };
}

/** Enrols a device: Authenticate and TokenUpdate. Its certificate is `cert-ID`. */
export async function enrol(store: Store, id: string, at = 1): Promise<void> {
  const certificateFingerprint = `cert-${id}`;
  await store.enrolments.authenticate({
    id,
    kind: 'device',
    certificateFingerprint,
    at,
    details: { udid: id },
    secrets: [],
    events: [],
  });
  await store.enrolments.tokenUpdate({
    id,
    channel: 'device',
    kind: 'device',
    parent: null,
    certificateFingerprint,
    at,
    token: bytes(`token-${id}`),
    pushMagic: bytes(`magic-${id}`),
    topic: 'com.apple.mgmt.test',
    details: {},
    secrets: [],
    firstEvents: [],
    laterEvents: [],
  });
}

/** Queues commands without events. */
export function enqueue(store: Store, commands: readonly NewCommand[], enrolmentIds: readonly string[], at = 10) {
  return store.queue.enqueue({ commands, enrolmentIds, at, events: [] });
}

/** One contact of a device that {@link enrol} made. */
export function poll(store: Store, enrolmentId: string, at: number, result?: PollResult) {
  return store.queue.poll({
    enrolmentId,
    certificateFingerprint: `cert-${enrolmentId}`,
    at,
    backoff,
    ...(result === undefined ? {} : { result }),
  });
}
