// A device's facts as Apple's schema asks for them.
import { type ClientCapabilities, parseTarget, type Target } from '@espalier/apple-mdm';
import type { Facts } from '../api/common.ts';
import type { Enrolment } from '../api/records.ts';

const platforms = new Set<unknown>(['iOS', 'macOS', 'tvOS', 'visionOS', 'watchOS']);

/** What is known of a channel's device; `null` when not even the platform is. */
export function targetOf(channel: Enrolment, device: Enrolment, facts: Facts): Target | null {
  const platform = facts['common.platform'];
  if (!platforms.has(platform)) return null;
  const version = facts['common.os_version'] ?? device.osVersion;
  const { target } = parseTarget(`${String(platform)}:${String(version)}`);
  const supervised = facts['ios.Supervised'];
  // Such a user says so before the device has answered a question.
  const shared = channel.kind === 'shared-ipad-user' ? true : facts['ios.IsMultiUser'];
  return {
    platform: platform as Target['platform'],
    ...(target?.osVersion === undefined ? {} : { osVersion: target.osVersion }),
    // Macs that are enrolled count as supervised since macOS 11, whatever they answer.
    ...(typeof supervised === 'boolean' && platform !== 'macOS' ? { supervised } : {}),
    ...(typeof shared === 'boolean' ? { sharedIpad: shared } : {}),
    enrolment: channel.kind.startsWith('user-enrolment') ? 'user' : 'device',
    channel: channel.channel,
  };
}

/** Capabilities as they were stored. */
export function capabilitiesOf(text: string | null): ClientCapabilities | null {
  return text === null ? null : (JSON.parse(text) as ClientCapabilities);
}
