// Profiles that are completed when a device takes them: identities and challenges that must not wait in a queue (CERT-21).
import { rawCommand } from '@espalier/apple-mdm';
import { decodeDict, encodeXml, type PlistDict, type PlistValue } from '@espalier/plist';
import type { Context } from './context.ts';
import { allFacts } from './facts.ts';
import type { LateAnswer, LateSource, LateValue, SignProfile } from './options.ts';

/** What a command's body begins with when it is completed late; no property list does. */
const MARK = new TextEncoder().encode('espalier:late:1\n');

/** The body of an InstallProfile command whose profile is completed late: what is stored in the place of the command. */
export function lateBody(commandUuid: string, profile: Uint8Array, late: readonly LateValue[]): Uint8Array {
  const values = late.map(({ payload, source, reference, revision }) => ({ payload, source, reference, revision }));
  return new Uint8Array(Buffer.concat([MARK, encodeXml({ commandUuid, profile, late: values })]));
}

/** Whether a stored body is completed late. */
export function isLate(body: Uint8Array): boolean {
  return body.length > MARK.length && Buffer.compare(body.subarray(0, MARK.length), MARK) === 0;
}

/** Completes commands. */
export interface LateBinder {
  /** The command for one device. `gone`: it can never be made; `hold`: not now. */
  complete(
    enrolmentId: string,
    body: Uint8Array,
  ): Promise<{ readonly outcome: 'ready'; readonly bytes: Uint8Array } | Withheld>;
}

/** A command that a device does not get. */
export type Withheld = Exclude<LateAnswer, { readonly outcome: 'ready' }>;

/** Makes the binder over the sources of values, by name. */
export function createLateBinder(
  context: Context,
  sources: ReadonlyMap<string, LateSource>,
  signProfile: SignProfile | undefined,
): LateBinder {
  return {
    async complete(enrolmentId, body) {
      const { commandUuid, profile, late } = decodeDict(body.subarray(MARK.length));
      const [row] = await context.store.inventory.rows([enrolmentId]);
      if (row === undefined) return { outcome: 'gone', reason: 'the device is not enrolled' };
      const device = { enrolment: row.enrolment, facts: allFacts(row) };
      const value = decodeDict(profile as Uint8Array);
      const payloads = value['PayloadContent'] as PlistDict[];
      for (const { payload, source, reference, revision } of late as unknown as readonly LateValue[]) {
        const found = sources.get(source);
        if (found === undefined) return { outcome: 'gone', reason: `there is no source of ${JSON.stringify(source)}` };
        const answer = await found({ ...device, reference, revision });
        if (answer.outcome !== 'ready') return answer;
        const target = payloads[payload];
        if (target !== undefined) mergeInto(target, answer.values);
      }
      const complete = encodeXml(value);
      const signed = signProfile === undefined ? complete : await signProfile(complete);
      const { bytes } = rawCommand('InstallProfile', { Payload: signed }, { commandUuid: commandUuid as string });
      return { outcome: 'ready', bytes };
    },
  };
}

/** Dictionaries are merged, everything else is replaced. */
function mergeInto(target: PlistDict, values: Readonly<Record<string, PlistValue>>): void {
  for (const [key, value] of Object.entries(values)) {
    const old = target[key];
    if (isDict(old) && isDict(value)) mergeInto(old, value);
    else target[key] = value;
  }
}

function isDict(value: PlistValue | undefined): value is PlistDict {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // One step from nothing: a plain record or a decoded dictionary, no array, bytes or date.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
