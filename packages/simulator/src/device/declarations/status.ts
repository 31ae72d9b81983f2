// The status items that a simulated device can tell, and their values.
import { platformOf } from '../../catalogue.ts';
import type { DeviceState } from '../state.ts';
import { kinds, typesOf } from './catalogue.ts';

const common: { readonly [name: string]: (state: DeviceState) => unknown } = {
  'device.identifier.serial-number': (state) => state.serialNumber,
  'device.identifier.udid': (state) => state.udid,
  'device.model.family': (state) => (state.kind === 'AppleTV' ? 'AppleTV' : state.kind),
  'device.model.identifier': (state) => state.productName,
  'device.model.marketing-name': (state) => state.modelName,
  'device.model.number': (state) => state.model,
  'device.operating-system.build-version': (state) => state.buildVersion,
  'device.operating-system.family': (state) => (state.kind === 'iPad' ? 'iPadOS' : platformOf(state.kind)),
  'device.operating-system.marketing-name': (state) => `${platformOf(state.kind)} ${state.osVersion}`,
  'device.operating-system.version': (state) => state.osVersion,
};

const notTv: typeof common = {
  'passcode.is-present': (state) => state.passcode !== null,
  'passcode.is-compliant': (state) => passcodeComplies(state),
};

const notMac: typeof common = {
  'mdm.app': (state) =>
    state.apps
      .filter((app) => app.managed === true)
      .map(({ identifier, name, version, shortVersion }) => ({
        identifier,
        name,
        version,
        'short-version': shortVersion,
        state: 'managed',
      })),
};

const macOnly: typeof common = { 'diskmanagement.filevault.enabled': (state) => state.fileVault };

/** The items that this device can tell, without those about declarative management itself. */
export function statusItems(state: DeviceState): typeof common {
  const platform = platformOf(state.kind);
  return {
    ...common,
    ...(platform === 'tvOS' ? {} : notTv),
    ...(platform === 'macOS' ? macOnly : notMac),
  };
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
