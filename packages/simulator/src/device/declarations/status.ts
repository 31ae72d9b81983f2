// The status items that a simulated device can tell, and their values.
import { readCertificate } from '@espalier/pki';
import { buildOf, compareVersions, type Platform, platformOf } from '../../catalogue.ts';
import { uuidOf } from '../managed-state.ts';
import { type DeviceState, fromBase64 } from '../state.ts';
import { accountLists } from './accounts.ts';
import { kinds, typesOf } from './catalogue.ts';
import { statusTable } from './status-table.ts';

type Value = (state: DeviceState) => unknown;

const values: { readonly [name: string]: Value } = {
  ...accountLists,
  'app.managed.list': managedApps,
  // Nobody has turned the content cache on.
  'content-cache.info': () => ({ 'cache-free': 0, 'cache-limit': 0, 'cache-status': 'OK', 'cache-used': 0 }),
  'content-cache.parents': () => [],
  'content-cache.peers': () => [],
  'content-cache.status': (state) => ({
    'server-guid': uuidOf(state, 'content cache'),
    activated: false,
    active: false,
    'cache-status': 'OK',
    version: '1',
  }),
  'device.identifier.serial-number': (state) => state.serialNumber,
  'device.identifier.udid': (state) => state.udid,
  'device.model.family': (state) => (state.kind === 'VisionPro' ? 'RealityDevice' : state.kind),
  'device.model.identifier': (state) => state.productName,
  'device.model.marketing-name': (state) => state.modelName,
  'device.model.number': (state) => state.model,
  'device.operating-system.build-version': (state) => state.buildVersion,
  'device.operating-system.family': (state) => (state.kind === 'iPad' ? 'iPadOS' : platformOf(state.kind)),
  'device.operating-system.marketing-name': (state) => `${platformOf(state.kind)} ${state.osVersion}`,
  'device.operating-system.supplemental.build-version': (state) => state.buildVersion,
  'device.operating-system.supplemental.extra-version': () => '',
  'device.operating-system.version': (state) => state.osVersion,
  'device.power.battery-health': (state) => (state.modelName === 'Mac mini' ? 'unsupported' : 'normal'),
  'device.system.health': (state) => ({
    ...(state.cellular ? { Baseband: 'ok' } : {}),
    Camera: 'ok',
    Display: 'ok',
    FaceID: 'ok',
  }),
  'diskmanagement.filevault.enabled': (state) => state.fileVault,
  'enhanced-logging.applecare-token': () => '',
  'enhanced-logging.status': (state) => (state.managed?.collectingLogs === true ? 'collecting' : 'none'),
  'enhanced-logging.timestamp': () => '',
  'mdm.app': managedApps,
  'mdm.enrollment-type': enrolmentType,
  'mdm.is-awaiting-configuration': (state) => state.awaitingConfiguration,
  'mdm.is-return-to-service': () => false,
  'mdm.is-shared-ipad': (state) => state.sharedIpad === true,
  'mdm.push-magic': (state) => state.pushMagic,
  'mdm.push-token': (state) => Buffer.from(state.pushToken, 'hex').toString('base64'),
  'migration-assistant.report': () => ({ errors: [] }),
  'migration-assistant.state': () => 'unknown',
  'package.list': () => [],
  'passcode.is-compliant': passcodeComplies,
  'passcode.is-present': (state) => state.passcode !== null,
  'screensharing.connection.group.unresolved-connection': () => [],
  'security.certificate.list': certificates,
  'security.lockdown-mode': () => false,
  'services.background-task': () => [],
  'softwareupdate.beta-enrollment': () => '',
  'softwareupdate.device-id': (state) => state.productName,
  'softwareupdate.failure-reason': () => ({ count: 0 }),
  'softwareupdate.install-reason': (state) => ({ reason: state.managed?.update ? ['mdm'] : [] }),
  'softwareupdate.install-state': (state) => (state.managed?.update ? 'downloading' : 'none'),
  'softwareupdate.pending-version': pendingVersion,
  'test.array-value': () => [{ key1: 'value' }],
  'test.boolean-value': () => true,
  'test.dictionary-value': () => ({ key1: 'value' }),
  'test.integer-value': () => 1,
  'test.real-value': () => 1.5,
  'test.string-value': () => 'value',
};

/** What the client reports by itself. */
const reported = ['management.client-capabilities', 'management.declarations'];

/** The status items that simulated devices know, with their first versions. */
export const knownStatusItems: { readonly [name: string]: { readonly [P in Platform]?: string } } = Object.freeze(
  Object.fromEntries([...statusTable].flatMap(([name, { os }]) => (isKnown(name) ? [[name, os]] : []))),
);

function isKnown(name: string): boolean {
  return Object.hasOwn(values, name) || reported.includes(name);
}

/** The items that this device can tell on this channel, without those about declarative management itself. */
export function statusItems(state: DeviceState): { readonly [name: string]: Value } {
  const known = Object.entries(values).filter(([name]) => tells(state, name));
  return Object.fromEntries(known);
}

function tells(state: DeviceState, name: string): boolean {
  const platform = platformOf(state.kind);
  const { os, words } = statusTable.get(name)!;
  const since = os[platform];
  const said = words[platform] ?? [];
  if (since === undefined || compareVersions(state.osVersion, since) < 0) return false;
  if (state.mdm?.userEnrolment === true && said.includes('private')) return false;
  if (!state.supervised && said.includes('supervised')) return false;
  const own = state.user !== undefined;
  if (platform === 'macOS') return said.includes('both') || said.includes('user') === own;
  if (state.sharedIpad !== true) return true;
  return !said.some((word) => word.startsWith('shared-') && word !== (own ? 'shared-user' : 'shared-system'));
}

function enrolmentType(state: DeviceState): string {
  if (state.mdm?.userEnrolment === true) return 'user';
  // A Mac whose enrolment its user approved counts as supervised.
  return state.supervised || state.kind === 'Mac' ? 'supervised' : 'device';
}

function pendingVersion(state: DeviceState): unknown {
  const version = state.managed?.update?.version ?? '';
  return { 'os-version': version, 'build-version': version === '' ? '' : buildOf(platformOf(state.kind), version) };
}

/** Those that profiles brought, and the identity. */
function certificates(state: DeviceState): unknown {
  const identity = state.user === undefined ? state.certificate : null;
  const all = new Map(state.profiles.flatMap((profile) => profile.certificates).map((one) => [one, false]));
  if (identity !== null) all.set(identity, true);
  return [...all].map(([data, isIdentity]) => {
    const { subject, fingerprintSha256 } = readCertificate(fromBase64(data));
    return { identifier: fingerprintSha256, 'subject-summary': subject, 'is-identity': isIdentity, data };
  });
}

function managedApps(state: DeviceState): unknown {
  return state.apps
    .filter((app) => app.managed === true)
    .map(({ identifier, name, version, shortVersion }) => ({
      identifier,
      name,
      version,
      'short-version': shortVersion,
      state: 'managed',
    }));
}

/** `management.client-capabilities`. */
export function capabilities(state: DeviceState): object {
  const types = typesOf(platformOf(state.kind), state.osVersion);
  return {
    'supported-versions': ['1.0.0'],
    'supported-features': {},
    'supported-payloads': {
      declarations: Object.fromEntries(
        kinds.map(({ kind, states }) => [states, types.filter((type) => type.startsWith(`com.apple.${kind}.`))]),
      ),
      'status-items': [...Object.keys(statusItems(state)), ...reported].sort(),
    },
  };
}

/** Whether the passcode is as the active passcode configurations want it. */
function passcodeComplies(state: DeviceState): boolean {
  const rules = (state.declarative?.declarations ?? []).filter(
    (one) => one.type === 'com.apple.configuration.passcode.settings',
  );
  return rules.every(({ payload }) => {
    const { RequirePasscode: wanted, MinimumLength: length } = payload;
    if (state.passcode === null) return wanted !== true;
    return typeof length !== 'number' || state.passcode.length >= length;
  });
}
