// Whether a device that enrolled in a way, and the store, are afterwards as Apple's documentation and schema have it.
import { isDeepStrictEqual } from 'node:util';
import type { PairReport } from './run.ts';
import { declaration } from './run.ts';

/** What is not as it should be; nothing, where all is. */
export function problemsOf(report: PairReport): readonly string[] {
  const { pair, device, channels, refused } = report;
  const { kind, way, wayName, outcome } = pair;
  const problems: string[] = [];
  const want = (what: string, wanted: unknown, found: unknown): void => {
    if (isDeepStrictEqual(wanted, found)) return;
    problems.push(`${what}: ${JSON.stringify(found) ?? 'nothing'} in place of ${JSON.stringify(wanted) ?? 'nothing'}`);
  };
  if (outcome === 'refuses') {
    want('the refusal', 'simulator.unsupported', refused?.code);
    want('the phase', 'none', device.phase);
    want('the certificate', null, device.certificate);
    return problems;
  }
  if (refused !== null) return [`${refused.code}: ${refused.message}`];
  const byUser = way.enrolment === 'user-enrolment-device';
  const byAde = wayName.startsWith('ade');
  const mac = kind.platform === 'macOS';
  const supervised = !mac && (byAde || wayName === 'watch');

  // The device.
  want('the phase', 'enrolled', device.phase);
  want('supervision', supervised, device.supervised);
  want('Setup Assistant waiting', false, device.awaitingConfiguration);
  if (outcome === 'enrols') want('how it came', way.enrolledBy, device.enrolledBy);
  want('an enrolment id', byUser, device.enrolmentId !== undefined);
  want('the identity by SCEP', pair.identity === 'scep', device.mdm?.scep !== null);
  want('a Shared iPad', kind.sharedIpad === true, device.sharedIpad === true);
  if (wayName === 'ade-update') want('the update', outcome === 'enrols', device.osVersion === kind.traits.osVersion);
  want('the bootstrap token', mac && !byUser, report.bootstrapToken);

  // Each channel: the device's, and one for each user.
  const macUsers = byUser ? ['user-enrolment-user'] : ['user', 'user'];
  const users = mac ? macUsers : kind.sharedIpad === true ? ['shared-ipad-user'] : [];
  want(
    'channels',
    [way.enrolment, ...users],
    channels.map(({ detail }) => detail?.enrolment.kind),
  );
  for (const { id, detail, command, declarations } of channels) {
    want(`${id} in the store`, [id, 'active'], [detail?.enrolment.id, detail?.enrolment.status]);
    want(`${id}, the command`, ['ProfileList', 'acknowledged'], [command?.requestType, command?.state]);
    const held = declarations.find(({ identifier }) => identifier === declaration);
    want(`${id}, the declaration`, ['applied', true, 'valid'], [held?.status, held?.active, held?.valid]);
  }
  const [first, ...others] = channels;
  const enrolment = first?.detail?.enrolment;
  want('the channel', ['device', null], [enrolment?.channel, enrolment?.parent]);
  want('the serial number', byUser ? null : device.serialNumber, enrolment?.serialNumber);
  want('the UDID', byUser ? null : device.udid, enrolment?.udid);
  for (const { id, detail } of others) {
    want(`${id}, its device`, ['user', first?.id], [detail?.enrolment.channel, detail?.enrolment.parent]);
  }
  const facts = first?.detail?.facts ?? {};
  want('the platform', kind.platform, facts['common.platform']);
  want('the version', device.osVersion, facts['common.os_version']);
  want('a User Enrolment', byUser, facts['ios.apple_user_enrolled_device'] === true);
  const mode = way.enrolledBy.startsWith('account') ? (byUser ? 'BYOD' : 'ADDE') : undefined;
  want('enrolment by account', mode, facts['ios.account_driven']);

  // What Apple lets a server do depends on the enrolment (schema, supportedOS of each command).
  const allowed = {
    DeviceInformation: true,
    EraseDevice: !byUser,
    DeleteUser: kind.sharedIpad === true || (mac && !byUser),
    SetRecoveryLock: mac && !byUser,
    EnableLostMode: kind.platform === 'iOS' && supervised,
  };
  for (const [requestType, is] of Object.entries(allowed)) {
    want(`${requestType} allowed`, is, first?.supported.has(requestType));
  }
  want('the state after CheckOut', 'checked-out', report.left);
  return problems;
}
