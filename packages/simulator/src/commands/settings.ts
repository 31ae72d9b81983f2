// The Settings command: each setting is taken or refused by itself, whatever becomes of the others.
// Facts: Apple's schema, mdm/commands/settings.yaml, levels 18.3 and 27.
import type { PlistDict, PlistInput, PlistValue } from '@espalier/plist';
import type { Platform } from '../catalogue.ts';
import { errorChain } from '../device/messages.ts';
import { isDict } from '../device/profile.ts';
import type { DeviceState } from '../device/state.ts';
import { keepForApp } from './apps.ts';
import type { Need } from './availability.ts';
import { acknowledged, type CommandContext, type CommandResult, failed, malformed, mdmDomain } from './handler.ts';
import { isKnown, refusalOf } from './needs.ts';

type Fits = (value: PlistValue) => boolean;

interface Setting {
  readonly needs: { readonly [P in Platform]?: Need };
  /** Keys that must be there. */
  readonly keys?: Readonly<Record<string, Fits>>;
  /** Keys that may be there. */
  readonly may?: Readonly<Record<string, Fits>>;
  /** What it does in place of being kept; a result is why not. */
  apply?(state: DeviceState, item: PlistDict): CommandResult | undefined;
}

const isBoolean: Fits = (value) => typeof value === 'boolean';
const isText: Fits = (value) => typeof value === 'string' && value !== '';
const isNumber: Fits = (value) => typeof value === 'number';
const oneOf =
  (...values: readonly number[]): Fits =>
  (value) =>
    typeof value === 'number' && values.includes(value);

const all: Setting['needs'] = {
  iOS: { since: '5.0' },
  macOS: { since: '10.9' },
  tvOS: { since: '9.0' },
  visionOS: { since: '1.1' },
  watchOS: { since: '10.0' },
};
const sharedOnly = (since: string): Need => ({ since, sharedIpad: 'required', byUser: 'forbidden' });
const supervised = (since: string): Need => ({ since, supervised: true, byUser: 'forbidden' });
const cellular: Setting = { needs: { iOS: { since: '5.0', byUser: 'forbidden' } }, keys: { Enabled: isBoolean } };

const settings: Readonly<Record<string, Setting>> = {
  Wallpaper: {
    needs: { iOS: supervised('8.0') },
    keys: { Image: (value) => value instanceof Uint8Array, Where: oneOf(1, 2, 3) },
  },
  DataRoaming: cellular,
  VoiceRoaming: cellular,
  PersonalHotspot: cellular,
  Bluetooth: {
    needs: { iOS: supervised('11.3'), macOS: { since: '10.13.4', byUser: 'forbidden' } },
    keys: { Enabled: isBoolean },
  },
  ApplicationConfiguration: {
    needs: { ...all, macOS: { since: '10.15' }, tvOS: { since: '10.2' } },
    keys: { Identifier: isText },
    may: { Configuration: isDict },
    apply: (state, item) => setForApp(state, 'appConfigurations', item, 'Configuration'),
  },
  ApplicationAttributes: {
    needs: { iOS: { since: '7.0' }, tvOS: { since: '10.2' }, visionOS: { since: '1.1' }, watchOS: { since: '10.0' } },
    keys: { Identifier: isText },
    may: { Attributes: isDict },
    apply: (state, item) => setForApp(state, 'appAttributes', item, 'Attributes'),
  },
  DeviceName: {
    needs: {
      iOS: supervised('5.0'),
      macOS: { since: '10.10', byUser: 'forbidden' },
      tvOS: { since: '9.0', supervised: true },
      visionOS: supervised('2.0'),
    },
    keys: { DeviceName: isText },
    apply(state, { DeviceName: name }) {
      state.deviceName = name as string;
      return undefined;
    },
  },
  HostName: { needs: { macOS: { since: '10.11', byUser: 'forbidden' } }, keys: { HostName: isText } },
  OrganizationInfo: { needs: all, may: { OrganizationInfo: isDict } },
  DefaultApplications: {
    needs: {
      iOS: { since: '18.2', sharedIpad: 'forbidden', byUser: 'forbidden' },
      visionOS: { since: '2.2', byUser: 'forbidden' },
    },
    may: { WebBrowser: isText, Calling: isText, Messaging: isText },
  },
  MDMOptions: {
    needs: { iOS: { since: '7.0' }, macOS: { since: '10.15', byUser: 'forbidden' }, visionOS: { since: '2.0' } },
    keys: { MDMOptions: isDict },
  },
  MaximumResidentUsers: { needs: { iOS: sharedOnly('9.3') }, keys: { MaximumResidentUsers: isNumber } },
  SharedDeviceConfiguration: {
    needs: { iOS: sharedOnly('13.4') },
    may: {
      QuotaSize: isNumber,
      ResidentUsers: isNumber,
      UserSessionTimeout: isNumber,
      TemporarySessionTimeout: isNumber,
      TemporarySessionOnly: isBoolean,
      ManagedAppleIDDefaultDomains: Array.isArray,
      OnlineAuthenticationGracePeriod: isNumber,
      SkipLanguageAndLocaleSetupForNewUsers: isBoolean,
      AwaitUserConfiguration: isDict,
      PasscodePolicy: isDict,
    },
  },
  DiagnosticSubmission: { needs: { iOS: sharedOnly('9.3') }, keys: { Enabled: isBoolean } },
  AppAnalytics: { needs: { iOS: sharedOnly('9.3.2') }, keys: { Enabled: isBoolean } },
  PasscodeLockGracePeriod: {
    needs: { iOS: sharedOnly('9.3.2') },
    keys: { PasscodeLockGracePeriod: oneOf(0, 60, 300, 900, 3600, 14400) },
  },
  TimeZone: {
    needs: {
      iOS: supervised('14.0'),
      tvOS: { since: '14.0', supervised: true },
      visionOS: supervised('2.0'),
    },
    keys: { TimeZone: isText },
  },
  SoftwareUpdateSettings: {
    needs: { iOS: { ...supervised('14.5'), until: '27.0' } },
    keys: { RecommendationCadence: oneOf(0, 1, 2) },
  },
  AccessibilitySettings: {
    needs: { iOS: supervised('16.0'), watchOS: { since: '10.0', supervised: true } },
    may: {
      ...Object.fromEntries(
        (
          'BoldTextEnabled IncreaseContrastEnabled ReduceMotionEnabled ReduceTransparencyEnabled ' +
          'TouchAccommodationsEnabled VoiceOverEnabled ZoomEnabled GrayscaleEnabled'
        )
          .split(' ')
          .map((name) => [name, isBoolean]),
      ),
      TextSize: oneOf(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    },
  },
};

const unsupported = (text: string): CommandResult => failed('MCSettingsErrorDomain', 28000, text);

/** Answers with one result for each setting. */
export function applySettings({ state, platform, payload }: CommandContext): CommandResult {
  const { Settings: items } = payload;
  if (!Array.isArray(items)) return malformed;
  const results = items.map((item): PlistInput => {
    const name = isDict(item) ? item['Item'] : undefined;
    if (!isDict(item) || typeof name !== 'string') return { Status: 'CommandFormatError' };
    // Macs do not name the app.
    const { Identifier: identifier } = item;
    const app = typeof identifier === 'string' && platform !== 'macOS' ? { Identifier: identifier } : {};
    const { status, errors } = applySetting(state, platform, name, item) ?? acknowledged();
    return { Item: name, ...app, Status: status, ...(errors === undefined ? {} : { ErrorChain: errorChain(errors) }) };
  });
  return acknowledged({ Settings: results });
}

function applySetting(
  state: DeviceState,
  platform: Platform,
  name: string,
  item: PlistDict,
): CommandResult | undefined {
  const setting = Object.hasOwn(settings, name) ? settings[name] : undefined;
  const need = setting?.needs[platform];
  if (setting === undefined || need === undefined || !isKnown(need, state.osVersion))
    return unsupported('Unknown item');
  const refusal = refusalOf(state, platform, need);
  if (refusal !== undefined) return refusal;
  const { keys = {}, may = {} } = setting;
  // As seen of devices: no error chain.
  if (Object.entries(keys).some(([key, fits]) => item[key] === undefined || !fits(item[key]))) return malformed;
  if (Object.entries(may).some(([key, fits]) => item[key] !== undefined && !fits(item[key]))) return malformed;
  if (setting.apply !== undefined) return setting.apply(state, item);
  for (const key of Object.keys({ ...keys, ...may })) {
    const { [key]: value } = item;
    // By the name of the setting where it is one switch.
    const kept = key === 'Enabled' ? name : key;
    if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') {
      state.settings[kept] = value;
    }
  }
  return undefined;
}

/** What a managed app is told, or how the system treats it; without the dictionary it is as if it had never been set. */
function setForApp(
  state: DeviceState,
  where: 'appAttributes' | 'appConfigurations',
  item: PlistDict,
  key: string,
): CommandResult | undefined {
  const identifier = item['Identifier'] as string;
  if (!state.apps.some((app) => app.identifier === identifier && app.managed === true)) {
    return failed(mdmDomain, 12029, 'App not managed');
  }
  keepForApp(state, where, identifier, item[key]);
  return undefined;
}
