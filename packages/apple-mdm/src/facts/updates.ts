// Operating-system updates: what a device offers itself, and how far it is. Keys: Apple's schema, mdm/commands
// (AvailableOSUpdates, OSUpdateStatus, ScheduleOSUpdate). OS 27 has declarations and status items in their place.
import { optional } from '../optional.ts';
import { numberOf, type PlistDict } from '../plist.ts';
import { flag, instantOf, type ReadList, readList, text } from './read.ts';
import type { FactSink, Facts } from './values.ts';

/** An update that a device could install (`AvailableOSUpdates`). */
export interface AvailableUpdate {
  readonly productKey: string;
  readonly name?: string;
  readonly productName?: string;
  /** The version that it brings. */
  readonly version?: string;
  readonly build?: string;
  /** Bytes. */
  readonly downloadSize?: number;
  readonly installSize?: number;
  readonly critical: boolean;
  /** Configuration data or firmware, not a system. */
  readonly configData: boolean;
  readonly firmware: boolean;
  readonly major: boolean;
  readonly securityResponse: boolean;
  readonly restartRequired: boolean;
  readonly requiresBootstrapToken: boolean;
  readonly allowsInstallLater?: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly deferredUntil?: number;
}

/** How far an update is (`OSUpdateStatus`). */
export interface UpdateStatus {
  readonly productKey: string;
  /** `Idle`, `Downloading`, `DownloadFailed`, `DownloadRequiresComputer`, `DownloadInsufficientSpace`, `Installing` … */
  readonly status?: string;
  readonly downloaded?: boolean;
  /** 0 to 100. */
  readonly progress?: number;
  readonly deferralsRemaining?: number;
  readonly maxDeferrals?: number;
  /** Milliseconds since the Unix epoch. */
  readonly nextScheduledInstall?: number;
}

/** Reads an `AvailableOSUpdates` response. */
export function readAvailableUpdates(value: PlistDict): ReadList<AvailableUpdate> {
  return readList(value['AvailableOSUpdates'], (update) => {
    const productKey = text(update['ProductKey']);
    if (productKey === undefined || productKey === '') return undefined;
    return {
      productKey,
      ...optional('name', text(update['HumanReadableName'])),
      ...optional('productName', text(update['ProductName'])),
      ...optional('version', text(update['Version'])),
      ...optional('build', text(update['Build'])),
      ...optional('downloadSize', numberOf(update['DownloadSize'])),
      ...optional('installSize', numberOf(update['InstallSize'])),
      critical: update['IsCritical'] === true,
      configData: update['IsConfigDataUpdate'] === true,
      firmware: update['IsFirmwareUpdate'] === true,
      major: update['IsMajorOSUpdate'] === true,
      securityResponse: update['IsSecurityResponse'] === true,
      restartRequired: update['RestartRequired'] === true,
      requiresBootstrapToken: update['RequiresBootstrapToken'] === true,
      ...optional('allowsInstallLater', flag(update['AllowsInstallLater'])),
      ...optional('deferredUntil', instantOf(update['DeferredUntil'])),
    };
  });
}

/** Reads an `OSUpdateStatus` response. */
export function readUpdateStatus(value: PlistDict): ReadList<UpdateStatus> {
  return readList(value['OSUpdateStatus'], (update) => {
    const productKey = text(update['ProductKey']);
    if (productKey === undefined || productKey === '') return undefined;
    const share = numberOf(update['DownloadPercentComplete']);
    return {
      productKey,
      ...optional('status', text(update['Status'])),
      ...optional('downloaded', flag(update['IsDownloaded'])),
      ...optional('progress', share === undefined || !(share >= 0 && share <= 1) ? undefined : Math.round(share * 100)),
      ...optional('deferralsRemaining', numberOf(update['DeferralsRemaining'])),
      ...optional('maxDeferrals', numberOf(update['MaxDeferrals'])),
      ...optional('nextScheduledInstall', instantOf(update['NextScheduledInstall'])),
    };
  });
}

/** The update that matters: a system rather than data or firmware, the newest of them. */
export function mainUpdate(updates: readonly AvailableUpdate[]): AvailableUpdate | undefined {
  const systems = updates.filter((update) => !update.configData && !update.firmware);
  return [...(systems.length > 0 ? systems : updates)].sort(newestFirst)[0];
}

function newestFirst(a: AvailableUpdate, b: AvailableUpdate): number {
  const [left, right] = [(a.version ?? '').split('.'), (b.version ?? '').split('.')];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (Number.parseInt(right[i] ?? '0', 10) || 0) - (Number.parseInt(left[i] ?? '0', 10) || 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The facts of an `AvailableOSUpdates` response: its main update, `null` where there is none. */
export function availableUpdateFacts(updates: readonly AvailableUpdate[]): Facts {
  const main = mainUpdate(updates);
  return {
    'ios.osUpdateProductKey': main?.productKey ?? null,
    'ios.osUpdateProductVersion': main?.version ?? null,
    'ios.osUpdateName': main?.name ?? null,
  };
}

/** The facts of an `OSUpdateStatus` response: of the update that is furthest. */
export function updateStatusFacts(statuses: readonly UpdateStatus[]): Facts {
  const facts: FactSink = {
    'ios.osUpdateStatus': null,
    'ios.osUpdateDownloadProgress': null,
    'ios.osUpdateDeferralsRemaining': null,
    'ios.osUpdateMaxDeferrals': null,
    'ios.osUpdateNextScheduledInstall': null,
  };
  const active = statuses.find(({ status }) => status !== undefined && status !== 'Idle') ?? statuses[0];
  if (active === undefined) return facts;
  if (active.status !== undefined) facts['ios.osUpdateStatus'] = active.status;
  if (active.progress !== undefined) facts['ios.osUpdateDownloadProgress'] = active.progress;
  if (active.deferralsRemaining !== undefined) facts['ios.osUpdateDeferralsRemaining'] = active.deferralsRemaining;
  if (active.maxDeferrals !== undefined) facts['ios.osUpdateMaxDeferrals'] = active.maxDeferrals;
  if (active.nextScheduledInstall !== undefined)
    facts['ios.osUpdateNextScheduledInstall'] = active.nextScheduledInstall;
  return facts;
}
