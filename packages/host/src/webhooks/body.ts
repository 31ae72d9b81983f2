// What a message says: an event in Standard Webhooks' shape, or as MicroMDM and NanoMDM write it.
import { type Engine, type EngineEvent, type KeyRing, type Store, withoutSecrets } from '@espalier/core';
import { decodeDict, encodeXml, type PlistDict } from '@espalier/plist';
import type { Webhook } from './types.ts';

/** Where the bodies come from. */
export interface BodyContext {
  readonly engine: Engine;
  readonly store: Pick<Store, 'enrolments' | 'secrets'>;
  readonly keys: KeyRing;
}

/** Whether an endpoint hears of this type of event. */
export function wants({ format, types }: Webhook, { type }: EngineEvent): boolean {
  if (format === 'micromdm') return Object.hasOwn(topics, type);
  if (types.length === 0) return true;
  return types.some((wanted) => wanted === type || (wanted.endsWith('.*') && type.startsWith(wanted.slice(0, -1))));
}

/** The message's id: the same at each attempt, another for each endpoint and event. */
export function messageId(webhook: Webhook, event: EngineEvent): string {
  return `msg_${webhook.id}_${event.seq}`;
}

/** The body, JSON. `null` where there is nothing to tell: the enrolment is gone. */
export async function bodyOf(context: BodyContext, webhook: Webhook, event: EngineEvent): Promise<string | null> {
  if (webhook.format === 'micromdm') return await microMdm(context, messageId(webhook, event), event);
  const { seq, type, at, enrolmentId, data } = event;
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data: { seq, enrolmentId, ...data } });
}

const topics: Readonly<Record<string, string>> = {
  'enrolment.authenticated': 'mdm.Authenticate',
  'enrolment.active': 'mdm.TokenUpdate',
  'enrolment.token-updated': 'mdm.TokenUpdate',
  'enrolment.checked-out': 'mdm.CheckOut',
  'command.acknowledged': 'mdm.Connect',
  'command.failed': 'mdm.Connect',
  'command.not-now': 'mdm.Connect',
};

const statuses: Readonly<Record<string, string>> = {
  acknowledged: 'Acknowledged',
  error: 'Error',
  'format-error': 'CommandFormatError',
  'not-now': 'NotNow',
};

/** Keys of a TokenUpdate that whoever has them can unlock or wake the device with. */
const tokenSecrets = ['UnlockToken', 'PushMagic', 'Token'];

/** `topic`, `event_id`, `created_at`, and one of `checkin_event` and `acknowledge_event`; `raw_payload` is base64. */
async function microMdm(context: BodyContext, id: string, event: EngineEvent): Promise<string | null> {
  const topic = topics[event.type];
  const enrolmentId = event.enrolmentId;
  if (topic === undefined || enrolmentId === null) return null;
  const enrolment = await context.store.enrolments.get(enrolmentId);
  if (enrolment === null) return null;
  const who = {
    ...(enrolment.udid === null ? {} : { udid: enrolment.udid }),
    ...(enrolment.udid === enrolment.id ? {} : { enrollment_id: enrolment.id }),
  };
  const ids: PlistDict =
    enrolment.udid === null ? { EnrollmentID: enrolment.parent ?? enrolment.id } : { UDID: enrolment.udid };
  const head = { topic, event_id: id, created_at: new Date(event.at).toISOString() };
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  if (topic === 'mdm.Connect') {
    const commandUuid = String(event.data['commandUuid']);
    const status = statuses[String(event.data['status'])] ?? 'Acknowledged';
    const found = await context.engine.commands.get(enrolmentId, commandUuid);
    const response = found?.response ?? encodeXml({ ...ids, Status: status, CommandUUID: commandUuid });
    const raw_payload = base64(withoutSecrets(response));
    return JSON.stringify({
      ...head,
      acknowledge_event: { ...who, status, command_uuid: commandUuid, url_params: {}, raw_payload },
    });
  }
  const messageType = topic.slice('mdm.'.length);
  const raw = await rawMessage(context, enrolmentId, messageType);
  const message = raw ?? {
    ...ids,
    MessageType: messageType,
    ...(enrolment.topic === null ? {} : { Topic: enrolment.topic }),
  };
  const raw_payload = base64(encodeXml(message));
  return JSON.stringify({ ...head, checkin_event: { ...who, url_params: {}, raw_payload } });
}

/** The message as the device sent it last, without what is secret in it. */
async function rawMessage({ store, keys }: BodyContext, enrolmentId: string, type: string): Promise<PlistDict | null> {
  const name = `raw.${type}`;
  const blob = await store.secrets.get(enrolmentId, name);
  if (blob === null) return null;
  const message = decodeDict(keys.open(blob, ['secret', enrolmentId, name]));
  return Object.fromEntries(Object.entries(message).filter(([key]) => !tokenSecrets.includes(key)));
}
