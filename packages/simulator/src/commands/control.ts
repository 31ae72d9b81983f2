// Commands that do something to the device: lock, clear, restart, erase, lost mode.
import { toBase64 } from '../device/state.ts';
import {
  acknowledged,
  type CommandContext,
  type CommandResult,
  failed,
  type Handlers,
  malformed,
  mdmDomain,
} from './handler.ts';
import { applySettings } from './settings.ts';

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
  Settings: { run: applySettings },
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
