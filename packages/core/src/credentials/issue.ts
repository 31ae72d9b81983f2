// Making an identity for a user or device, once however many ask, and entering it into the register (CERT-21).
import type { Facts } from '../api/common.ts';
import type { CredentialSetting, IdentityRequest, IssuedIdentity } from '../api/credentials.ts';
import type { Enrolment } from '../api/records.ts';
import type { CredentialRecord } from '../contracts/credentials.ts';
import type { Context } from '../engine/context.ts';
import { issuedEvent, registerEntry } from '../engine/issuing.ts';
import { newCredential } from './keep.ts';

/** For whom, and in the place of what. */
export interface IssueInput {
  readonly setting: CredentialSetting;
  readonly holder: string;
  readonly enrolment: Enrolment;
  readonly facts: Facts;
  readonly userId: string | null;
  readonly before: CredentialRecord | null;
}

/** Makes an identity; `null` when the issuer holds it back. Where somebody else made one meanwhile, theirs is given. */
export type Issue = (input: IssueInput) => Promise<CredentialRecord | null>;

/** Makes the function over the product's issuer. */
export function createIssue(
  context: Context,
  issuer: (request: IdentityRequest) => Promise<IssuedIdentity | null>,
): Issue {
  const { store, bus } = context;
  /** What is being made in this process: the devices of one user come at the same moment. */
  const underWay = new Map<string, Promise<CredentialRecord | null>>();

  async function make({
    setting,
    holder,
    enrolment,
    facts,
    userId,
    before,
  }: IssueInput): Promise<CredentialRecord | null> {
    const replaces = before === null || before.status === 'discarded' ? null : before.certificate;
    const made = await issuer({ setting, enrolment, facts, userId, replaces });
    if (made === null) return null;
    const place = { settingId: setting.id, holder, origin: 'issued' } as const;
    const credential = newCredential(context, place, before, { ...made, chain: made.chain ?? [] });
    const { id, fingerprint, notAfter, createdAt: at } = credential;
    const nobody = { invitationId: null, enrolmentId: null };
    const enrolmentId = setting.scope === 'device' ? enrolment.id : null;
    const certificate = registerEntry(made.certificate, nobody, null, { credentialId: id, deviceId: enrolmentId });
    const data = { credentialId: id, settingId: setting.id, holder, fingerprint, notAfter };
    const events = [issuedEvent(certificate, at), { type: 'credential.issued', at, enrolmentId, data } as const];
    const outcome = await store.credentials.put({ credential, expectedId: before?.id ?? null, certificate, events });
    bus.poke();
    if (outcome === 'stored') return credential;
    // Another process was faster. What was made here exists all the same, and must be revocable.
    await store.certificates.register(certificate, issuedEvent(certificate, at));
    return outcome === 'unknown' ? null : await store.credentials.newest(setting.id, holder);
  }

  return (input) => {
    const key = `${input.setting.id}\n${input.holder}`;
    const same = underWay.get(key);
    if (same !== undefined) return same;
    const task = make(input).finally(() => underWay.delete(key));
    underWay.set(key, task);
    return task;
  };
}
