// Software updates by command: what there is, what is scheduled, and how far it has come.
import { type PlistInput, PlistReal } from '@espalier/plist';
import { buildOf, compareVersions, type Platform, versionsOf } from '../catalogue.ts';
import { managedOf } from '../device/managed-state.ts';
import { isDict } from '../device/profile.ts';
import type { DeviceState } from '../device/state.ts';
import {
  acknowledged,
  type CommandContext,
  type CommandResult,
  type Handlers,
  malformed,
  mdmDomain,
} from './handler.ts';

/** The commands for updates. */
export const updateHandlers: Handlers = {
  AvailableOSUpdates: {
    run({ state, platform }) {
      const update = newest(state, platform);
      return acknowledged({ AvailableOSUpdates: update === undefined ? [] : [describe(update, state, platform)] });
    },
  },
  ScheduleOSUpdateScan: { run: () => acknowledged({ ScanInitiated: true }) },
  ScheduleOSUpdate: { run: schedule },
  OSUpdateStatus: { run: status },
};

interface Update {
  readonly productKey: string;
  readonly version: string;
  readonly build: string;
  readonly name: string;
  readonly major: boolean;
}

/** The newest system that the simulator knows, where it is newer than the device's. */
function newest(state: DeviceState, platform: Platform): Update | undefined {
  const version = versionsOf(platform).at(-1)!;
  if (compareVersions(version, state.osVersion) <= 0) return undefined;
  const build = buildOf(platform, version);
  const major = Number.parseInt(version, 10) > Number.parseInt(state.osVersion, 10);
  const productKey =
    platform === 'macOS'
      ? `MSU_UPDATE_${build}_full_${version}_${major ? 'major' : 'minor'}`
      : `${platform}Update${build}`;
  return { productKey, version, build, name: `${platform} ${version}`, major };
}

function describe(update: Update, state: DeviceState, platform: Platform): PlistInput {
  const size = update.major ? 6_000_000_000 : 1_200_000_000;
  const common = {
    Build: update.build,
    DownloadSize: size,
    HumanReadableName: update.name,
    IsSecurityResponse: false,
    ProductKey: update.productKey,
    RestartRequired: true,
    Version: update.version,
  };
  if (platform !== 'macOS') return { ...common, InstallSize: size * 2, ProductName: platform };
  return {
    ...common,
    AllowsInstallLater: true,
    AppIdentifiersToClose: [],
    HumanReadableNameLocale: 'en-US',
    IsConfigDataUpdate: false,
    IsCritical: false,
    IsFirmwareUpdate: false,
    IsMajorOSUpdate: update.major,
    MetadataURL: `https://swscan.apple.com/${state.productName}`,
    RequiresBootstrapToken: true,
  };
}

function schedule({ state, platform, payload }: CommandContext): CommandResult {
  const { Updates: asked } = payload;
  if (!Array.isArray(asked)) return malformed;
  const results: PlistInput[] = [];
  for (const item of asked) {
    if (!isDict(item) || typeof item['InstallAction'] !== 'string') return malformed;
    const update = newest(state, platform);
    const key = item['ProductKey'];
    const version = item['ProductVersion'];
    const wanted =
      update !== undefined &&
      (key === undefined || key === update.productKey) &&
      (version === undefined || version === update.version);
    if (!wanted) {
      results.push(unavailable(typeof key === 'string' ? key : ''));
      continue;
    }
    const action = item['InstallAction'] === 'DownloadOnly' ? 'DownloadOnly' : 'InstallASAP';
    managedOf(state).update = { productKey: update.productKey, version: update.version, action, percent: 0 };
    results.push({
      InstallAction: item['InstallAction'] === 'Default' ? 'InstallASAP' : item['InstallAction'],
      ProductKey: update.productKey,
      Status: 'Downloading',
    });
  }
  return acknowledged({ UpdateResults: results });
}

function unavailable(productKey: string): PlistInput {
  const text = 'No update is available.';
  return {
    ErrorChain: [{ ErrorCode: 12048, ErrorDomain: mdmDomain, LocalizedDescription: text, USEnglishDescription: text }],
    InstallAction: 'Error',
    ProductKey: productKey,
    Status: 'Idle',
  };
}

/** Each look finds the update half further; one that is downloaded is installed by the next look, where that is asked. */
function status({ state, platform }: CommandContext): CommandResult {
  const managed = managedOf(state);
  const { update } = managed;
  if (update === null) return acknowledged({ OSUpdateStatus: [] });
  if (update.percent === 100 && update.action === 'InstallASAP') {
    state.osVersion = update.version;
    state.buildVersion = buildOf(platform, update.version);
    state.restarts++;
    managed.update = null;
    return acknowledged({ OSUpdateStatus: [] });
  }
  update.percent = Math.min(100, update.percent + 50);
  const done = update.percent === 100;
  return acknowledged({
    OSUpdateStatus: [
      {
        DownloadPercentComplete: new PlistReal(update.percent / 100),
        IsDownloaded: done,
        ProductKey: update.productKey,
        Status: done ? (update.action === 'InstallASAP' ? 'Installing' : 'Idle') : 'Downloading',
      },
    ],
  });
}
