// Commands that do something to the device: lock, clear, restart, erase, settings, lost mode, apps.
import type { PlistDict, PlistInput } from '@espalier/plist';
import { isDict } from '../device/profile.ts';
import { type DeviceState, toBase64 } from '../device/state.ts';
import {
  acknowledged,
  type CommandContext,
  type CommandResult,
  failed,
  type Handlers,
  malformed,
  mdmDomain,
} from './handler.ts';

/** The commands that act on the device. */
export const controlHandlers: Handlers = {
  DeviceLock: { platforms: ['iOS', 'macOS'], right: 4, whenLocked: true, run: lock },
  ClearPasscode: { platforms: ['iOS'], right: 4, whenLocked: true, run: clearPasscode },
  RestartDevice: {
    right: 4,
    supervised: ['iOS', 'tvOS'],
    whenLocked: true,
    run({ state }) {
      state.restarts++;
      return { status: 'Acknowledged', effect: 'restart' };
    },
  },
  ShutDownDevice: {
    platforms: ['iOS', 'macOS'],
    right: 4,
    supervised: ['iOS'],
    whenLocked: true,
    run: () => ({ status: 'Acknowledged', effect: 'halt' }),
  },
  EraseDevice: {
    right: 8,
    whenLocked: true,
    run: () => ({ status: 'Acknowledged', effect: 'erase' }),
  },
  DeviceConfigured: {
    run({ state }) {
      state.awaitingConfiguration = false;
      return acknowledged();
    },
  },
  Settings: { right: 2048, run: settings },
  EnableLostMode: { platforms: ['iOS'], supervised: ['iOS'], whenLocked: true, run: enableLostMode },
  DisableLostMode: { platforms: ['iOS'], supervised: ['iOS'], whenLocked: true, run: disableLostMode },
  DeviceLocation: { platforms: ['iOS'], supervised: ['iOS'], whenLocked: true, run: locate },
  PlayLostModeSound: {
    platforms: ['iOS'],
    supervised: ['iOS'],
    whenLocked: true,
    run: ({ state }) => (state.lostMode === null ? notLost() : acknowledged()),
  },
  InstallApplication: { right: 4096, run: installApp },
  RemoveApplication: { right: 4096, run: removeApp },
  ManagedApplicationList: { right: 4096, run: managedApps },
};

function lock({ state, platform, payload }: CommandContext): CommandResult {
  if (platform === 'macOS') {
    const { PIN: pin } = payload;
    if (typeof pin !== 'string' || !/^\d{6}$/.test(pin)) return malformed;
    state.lockPin = pin;
    return { status: 'Acknowledged', effect: 'halt' };
  }
  state.locked = state.passcode !== null;
  const shows = payload['Message'] !== undefined || payload['PhoneNumber'] !== undefined;
  if (!shows) return acknowledged();
  if (state.lostMode !== null) return acknowledged({ MessageResult: 'DeviceInLostMode' });
  return acknowledged({ MessageResult: state.passcode === null ? 'NoPasscodeSet' : 'Success' });
}

function clearPasscode({ state, payload }: CommandContext): CommandResult {
  const { UnlockToken: token } = payload;
  if (!(token instanceof Uint8Array)) return malformed;
  if (toBase64(token) !== state.unlockToken) return failed('MCPasscodeErrorDomain', 5013, 'Cannot clear passcode');
  state.passcode = null;
  state.locked = false;
  return acknowledged();
}

/** Settings that take a boolean `Enabled`. */
const switches = [
  'DataRoaming',
  'VoiceRoaming',
  'PersonalHotspot',
  'Bluetooth',
  'AppAnalytics',
  'DiagnosticSubmission',
];

function settings({ state, platform, payload }: CommandContext): CommandResult {
  const { Settings: items } = payload;
  if (!Array.isArray(items)) return malformed;
  const results = items.map((item): PlistInput => {
    const name = isDict(item) ? item['Item'] : undefined;
    if (!isDict(item) || typeof name !== 'string') return refusedSetting('', 'Unknown item');
    const refusal = applySetting(state, platform, name, item);
    return refusal === undefined ? { Identifier: name, Status: 'Acknowledged' } : refusedSetting(name, refusal);
  });
  return acknowledged({ Settings: results });
}

function refusedSetting(identifier: string, text: string): PlistInput {
  const supervision = text === 'Device not supervised';
  return {
    ...(identifier === '' ? {} : { Identifier: identifier }),
    Status: 'Error',
    ErrorChain: [
      {
        ErrorCode: supervision ? 29000 : 28000,
        ErrorDomain: supervision ? 'MCChaperoneErrorDomain' : 'MCSettingsErrorDomain',
        LocalizedDescription: text,
        USEnglishDescription: text,
      },
    ],
  };
}

function applySetting(state: DeviceState, platform: string, name: string, item: PlistDict): string | undefined {
  if (name === 'DeviceName') {
    if (platform !== 'macOS' && !state.supervised) return 'Device not supervised';
    if (typeof item['DeviceName'] !== 'string' || item['DeviceName'] === '') return 'Unsupported value';
    state.deviceName = item['DeviceName'];
    return undefined;
  }
  if (name === 'TimeZone' && platform !== 'macOS') {
    if (!state.supervised) return 'Device not supervised';
    if (typeof item['TimeZone'] !== 'string') return 'Unsupported value';
    state.settings['TimeZone'] = item['TimeZone'];
    return undefined;
  }
  if (switches.includes(name) && platform === 'iOS') {
    if (typeof item['Enabled'] !== 'boolean') return 'Unsupported value';
    state.settings[name] = item['Enabled'];
    return undefined;
  }
  return name === 'MDMOptions' || name === 'OrganizationInfo' ? undefined : 'Unknown item';
}

function enableLostMode({ state, payload }: CommandContext): CommandResult {
  const text = (key: string): string => {
    const value = payload[key];
    return typeof value === 'string' ? value : '';
  };
  const message = text('Message');
  const phoneNumber = text('PhoneNumber');
  if (message === '' && phoneNumber === '') return failed(mdmDomain, 12066, 'Could not enable MDM lost mode');
  state.lostMode = { message, phoneNumber, footnote: text('Footnote') };
  state.locked = true;
  return acknowledged();
}

function disableLostMode({ state }: CommandContext): CommandResult {
  if (state.lostMode === null) return notLost();
  state.lostMode = null;
  state.locked = state.passcode !== null;
  return acknowledged();
}

function locate({ state, now }: CommandContext): CommandResult {
  if (state.lostMode === null) return notLost();
  return acknowledged({
    Altitude: 34.5,
    Course: -1.5,
    HorizontalAccuracy: 12.5,
    Latitude: 52.5163,
    Longitude: 13.3777,
    Speed: -1.5,
    Timestamp: new Date(now).toISOString(),
    VerticalAccuracy: 8.5,
  });
}

function notLost(): CommandResult {
  return failed(mdmDomain, 12067, 'Device not in MDM lost mode');
}

function installApp({ state, payload }: CommandContext): CommandResult {
  const { iTunesStoreID: storeId, Identifier: bundle, ManifestURL: manifest } = payload;
  if (typeof manifest === 'string' && !manifest.startsWith('https:'))
    return failed(mdmDomain, 12034, 'URL is not HTTPS');
  const identifier =
    typeof bundle === 'string' ? bundle : typeof storeId === 'number' ? `com.example.store.${storeId}` : undefined;
  const known =
    identifier ??
    (typeof manifest === 'string' && URL.canParse(manifest) ? `com.example.${new URL(manifest).hostname}` : undefined);
  if (known === undefined) return malformed;
  if (state.apps.some((app) => app.identifier === known && app.managed === true)) {
    return failed(mdmDomain, 12025, 'App already installed');
  }
  state.apps = state.apps.filter((app) => app.identifier !== known);
  state.apps.push({
    identifier: known,
    name: known.split('.').at(-1)!,
    version: '1.0',
    shortVersion: '1.0',
    bundleSize: 50_000_000,
    managed: true,
    appStore: typeof manifest !== 'string',
  });
  return acknowledged({ Identifier: known, State: 'Installing' });
}

function removeApp({ state, payload }: CommandContext): CommandResult {
  const { Identifier: identifier } = payload;
  if (typeof identifier !== 'string') return malformed;
  if (!state.apps.some((app) => app.identifier === identifier && app.managed === true)) {
    return failed(mdmDomain, 12029, 'App not managed');
  }
  state.apps = state.apps.filter((app) => app.identifier !== identifier);
  return acknowledged();
}

function managedApps({ state }: CommandContext): CommandResult {
  const list = state.apps.filter((app) => app.managed === true);
  return acknowledged({
    ManagedApplicationList: Object.fromEntries(
      list.map((app) => [
        app.identifier,
        {
          ExternalVersionIdentifier: 0,
          HasConfiguration: false,
          HasFeedback: false,
          IsValidated: true,
          ManagementFlags: 0,
          Status: 'Managed',
          UnusedRedemptionCode: '',
        },
      ]),
    ),
  });
}
