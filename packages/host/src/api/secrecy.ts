// What is left out of answers for those who may not read it: secrets, and where a device was.
import { readLocation } from '@espalier/apple-mdm';
import { type DeviceRow, type Engine, withoutSecrets } from '@espalier/core';
import { decodeDict } from '@espalier/plist';
import { catalogue } from '@espalier/search/catalogue';
import type { Access } from './auth.ts';

/** A device without the facts that are secrets, unless they may be read. */
export function readableDevice<D extends Pick<DeviceRow, 'facts'>>(device: D, access: Access): D {
  if (access.may('read secrets')) return device;
  const facts = Object.entries(device.facts).filter(([token]) => catalogue.get(token)?.sensitive !== true);
  return { ...device, facts: Object.fromEntries(facts) };
}

/** A device's answer to a command, as far as it may be read. */
export function readableResponse<O extends { readonly requestType: string; readonly response: Uint8Array | null }>(
  outcome: O,
  access: Access,
): O {
  const needed = outcome.requestType === 'DeviceLocation' ? 'locate devices' : 'read secrets';
  if (outcome.response === null || access.may(needed)) return outcome;
  return { ...outcome, response: withoutSecrets(outcome.response) };
}

/** A run of a recipe, without the place that it found, unless that may be read. */
export function readableRun<R extends { readonly result: object }>(run: R, access: Access): R {
  const { location, ...result } = run.result as { readonly location?: unknown };
  return location === undefined || access.may('locate devices') ? run : { ...run, result };
}

/** Keeps that somebody was shown where a device was: in runs of recipes, or in the answer to a command (ACT-20). */
export async function placeTold(
  { locations }: Engine,
  enrolmentId: string,
  access: Access,
  shown:
    | { readonly runs: readonly { readonly result: object }[] }
    | { readonly requestType: string; readonly commandUuid: string; readonly response: Uint8Array | null },
): Promise<void> {
  if (!access.may('locate devices')) return;
  const actor = actorOf(access);
  if ('runs' in shown) {
    if (shown.runs.some(({ result }) => 'location' in result)) await locations.told(enrolmentId, { actor });
  } else if (holdsPlace(shown)) {
    await locations.told(enrolmentId, { actor, commandUuid: shown.commandUuid });
  }
}

const holdsPlace = ({ requestType, response }: Parameters<typeof readableResponse>[0]): boolean =>
  requestType === 'DeviceLocation' && response !== null && readLocation(decodeDict(response)) !== null;

/** Who asks, for the record. */
export const actorOf = ({ tokenId }: Access): string => `token:${tokenId}`;
