// Commands for what is around a device: screens, cellular plans, remote desktop, lights-out management, caching, logs.
import { managedOf } from '../device/managed-state.ts';
import { isDict } from '../device/profile.ts';
import type { DeviceState } from '../device/state.ts';
import { acknowledged, type CommandResult, failed, type Handlers, malformed, mdmDomain } from './handler.ts';

/** These commands. */
export const equipmentHandlers: Handlers = {
  RequestMirroring: {
    run({ state, payload }) {
      const { DestinationName: name, DestinationDeviceID: id } = payload;
      if (typeof name !== 'string' && typeof id !== 'string') return malformed;
      managedOf(state).mirroring = true;
      return acknowledged({ MirroringResult: 'Prompting' });
    },
  },
  StopMirroring: {
    run({ state }) {
      managedOf(state).mirroring = false;
      return acknowledged();
    },
  },
  RefreshCellularPlans: {
    run({ state, payload }) {
      const { eSIMServerURL: url } = payload;
      if (typeof url !== 'string') return malformed;
      if (!URL.canParse(url)) return failed(mdmDomain, 12030, 'Invalid URL');
      return state.cellular
        ? acknowledged()
        : failed('MCCellularErrorDomain', 36001, 'The device has no cellular modem.');
    },
  },
  EnableRemoteDesktop: { run: ({ state }) => remoteDesktop(managedOf(state), true) },
  DisableRemoteDesktop: { run: ({ state }) => remoteDesktop(managedOf(state), false) },
  LOMSetupRequest: {
    run: ({ state }) =>
      withoutLom(state) ??
      acknowledged({
        LOMProtocolVersion: 1,
        PrimaryIPv6AddressList: ['fe80::1'],
        SecondaryIPv6AddressList: [],
      }),
  },
  LOMDeviceRequest: {
    run({ state, payload }) {
      const { RequestList: requests } = payload;
      if (!Array.isArray(requests)) return malformed;
      const uuids = requests.map((item) => (isDict(item) ? item['DeviceRequestUUID'] : undefined));
      if (!uuids.every((uuid) => typeof uuid === 'string')) return malformed;
      return (
        withoutLom(state) ??
        acknowledged({
          ResponseList: uuids.map((uuid) => ({ DeviceRequestSuccess: true, DeviceRequestUUID: uuid })),
        })
      );
    },
  },
  ContentCachingInformation: { run: () => acknowledged({ StatusResponse: { Activated: false, Active: false } }) },
  TriggerEnhancedLogCollection: {
    run({ state, payload }) {
      if (typeof payload['AppleCareToken'] !== 'string') return malformed;
      managedOf(state).collectingLogs = true;
      return acknowledged();
    },
  },
  CancelEnhancedLogCollection: {
    run({ state }) {
      managedOf(state).collectingLogs = false;
      return acknowledged();
    },
  },
};

function remoteDesktop(managed: ReturnType<typeof managedOf>, on: boolean): ReturnType<typeof acknowledged> {
  managed.remoteDesktop = on;
  return acknowledged();
}

/** Of the Macs here, those on a desk have it. */
function withoutLom(state: DeviceState): CommandResult | undefined {
  return state.modelName === 'Mac mini'
    ? undefined
    : failed(mdmDomain, 12021, 'This Mac has no lights-out management.');
}
