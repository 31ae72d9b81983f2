// The status items that a simulated device can tell, and their values.
import { compareVersions, type Platform, platformOf } from '../../catalogue.ts';
import type { DeviceState } from '../state.ts';
import { kinds, typesOf } from './catalogue.ts';

interface Item {
  /** First version by platform (schema, declarative/status). */
  readonly os: { readonly [P in Platform]?: string };
  readonly value: (state: DeviceState) => unknown;
  /** Not told in a User Enrolment. */
  readonly private?: true;
}

const later = { visionOS: '1.1', watchOS: '10.0' };
const first = { iOS: '15.0', macOS: '13.0', tvOS: '16.0', ...later };
const second = { ...first, iOS: '16.0' };
const third = { iOS: '17.0', macOS: '14.0', tvOS: '17.0', ...later };

const items: { readonly [name: string]: Item } = {
  'device.identifier.serial-number': { os: second, value: (state) => state.serialNumber, private: true },
  'device.identifier.udid': { os: second, value: (state) => state.udid, private: true },
  'device.model.family': { os: first, value: (state) => (state.kind === 'VisionPro' ? 'RealityDevice' : state.kind) },
  'device.model.identifier': { os: first, value: (state) => state.productName },
  'device.model.marketing-name': { os: first, value: (state) => state.modelName },
  'device.model.number': { os: third, value: (state) => state.model },
  'device.operating-system.build-version': { os: first, value: (state) => state.buildVersion },
  'device.operating-system.family': {
    os: first,
    value: (state) => (state.kind === 'iPad' ? 'iPadOS' : platformOf(state.kind)),
  },
  'device.operating-system.marketing-name': {
    os: first,
    value: (state) => `${platformOf(state.kind)} ${state.osVersion}`,
  },
  'device.operating-system.version': { os: first, value: (state) => state.osVersion },
  'diskmanagement.filevault.enabled': { os: { macOS: '14.0' }, value: (state) => state.fileVault },
  'mdm.app': { os: { iOS: '16.0', tvOS: '16.0', ...later }, value: managedApps },
  'passcode.is-compliant': { os: { iOS: '16.0', ...later }, value: passcodeComplies },
  'passcode.is-present': { os: { iOS: '16.0', ...later }, value: (state) => state.passcode !== null },
};

/** The status items that simulated devices know, with their first versions. */
export const knownStatusItems: { readonly [name: string]: Item['os'] } = Object.freeze(
  Object.fromEntries(Object.entries(items).map(([name, { os }]) => [name, os])),
);

/** The items that this device can tell, without those about declarative management itself. */
export function statusItems(state: DeviceState): { readonly [name: string]: Item['value'] } {
  const platform = platformOf(state.kind);
  const known = Object.entries(items).filter(([, { os, private: hidden }]) => {
    const since = os[platform];
    if (hidden === true && state.mdm?.userEnrolment === true) return false;
    return since !== undefined && compareVersions(state.osVersion, since) >= 0;
  });
  return Object.fromEntries(known.map(([name, { value }]) => [name, value]));
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
      'status-items': [
        ...Object.keys(statusItems(state)),
        'management.client-capabilities',
        'management.declarations',
      ].sort(),
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
