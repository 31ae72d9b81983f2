// Commands that do something to the device: lock, clear, restart, erase, settings, lost mode.
import type { PlistDict, PlistInput } from '@espalier/plist';
import { isDict } from '../device/profile.ts';
import { type DeviceState, toBase64 } from '../device/state.ts';
import { keepForApp } from './apps.ts';
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
  DeviceLock: { whenLocked: true, run: lock },
  ClearPasscode: { whenLocked: true, run: clearPasscode },
  RestartDevice: {
    whenLocked: true,
    run({ state }) {
      state.restarts++;
      return { status: 'Acknowledged', effect: 'restart' };
    },
  },
  ShutDownDevice: {
    whenLocked: true,
    run: () => ({ status: 'Acknowledged', effect: 'halt' }),
  },
  EraseDevice: {
    whenLocked: true,
    run: () => ({ status: 'Acknowledged', effect: 'erase' }),
  },
  DeviceConfigured: {
    run({ state }) {
      state.awaitingConfiguration = false;
      return acknowledged();
    },
  },
  Settings: { run: settings },
  EnableLostMode: { whenLocked: true, run: enableLostMode },
  DisableLostMode: { whenLocked: true, run: disableLostMode },
  DeviceLocation: { whenLocked: true, run: locate },
  PlayLostModeSound: {
    whenLocked: true,
    run: ({ state }) => (state.lostMode === null ? notLost() : acknowledged()),
  },
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

const settingErrors: { readonly [text: string]: readonly [domain: string, code: number] } = {
  'Device not supervised': ['MCChaperoneErrorDomain', 29000],
  'App not managed': [mdmDomain, 12029],
};

function refusedSetting(identifier: string, text: string): PlistInput {
  const [domain, code] = settingErrors[text] ?? ['MCSettingsErrorDomain', 28000];
  return {
    ...(identifier === '' ? {} : { Identifier: identifier }),
    Status: 'Error',
    ErrorChain: [
      {
        ErrorCode: code,
        ErrorDomain: domain,
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
  if (name === 'HostName' && platform === 'macOS') {
    if (typeof item['HostName'] !== 'string' || item['HostName'] === '') return 'Unsupported value';
    state.settings['HostName'] = item['HostName'];
    return undefined;
  }
  if (name === 'ApplicationConfiguration' || (name === 'ApplicationAttributes' && platform !== 'macOS')) {
    return setForApp(state, name, item);
  }
  return name === 'MDMOptions' || name === 'OrganizationInfo' ? undefined : 'Unknown item';
}

/** What a managed app is told, or how the system treats it; without the dictionary it is as if it had never been set. */
function setForApp(state: DeviceState, name: string, item: PlistDict): string | undefined {
  const { Identifier: identifier } = item;
  if (typeof identifier !== 'string') return 'Unsupported value';
  if (!state.apps.some((app) => app.identifier === identifier && app.managed === true)) return 'App not managed';
  const attributes = name === 'ApplicationAttributes';
  keepForApp(
    state,
    attributes ? 'appAttributes' : 'appConfigurations',
    identifier,
    item[attributes ? 'Attributes' : 'Configuration'],
  );
  return undefined;
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
