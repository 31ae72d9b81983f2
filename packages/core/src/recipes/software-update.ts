// Software updates (ACT-26): by a declaration where device and server have it, by commands elsewhere.
import {
  type AvailableUpdate,
  compareVersions,
  isDict,
  mainUpdate,
  readAvailableUpdates,
  readUpdateStatus,
  schema,
} from '@espalier/apple-mdm';
import type { RecipeParameters } from '../api/recipes.ts';
import {
  badParameters,
  type Decision,
  fail,
  type Recipe,
  type RecipeTools,
  type StepOutcome,
  send,
  succeed,
  unavailable,
} from './types.ts';

type Update = RecipeParameters['software-update'];

const DECLARATION = 'com.apple.configuration.softwareupdate.enforcement.specific';
const deadlineForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$/;

/** Whether the device's system knows the declaration. */
function knowsDeclaration({ facts }: RecipeTools): boolean {
  const platform = facts['common.platform'];
  const version = facts['common.os_version'];
  if (typeof platform !== 'string' || typeof version !== 'string') return false;
  const support = schema.declaration(DECLARATION)?.supportedOS?.[platform as 'iOS'];
  if (support?.introduced === undefined || support.introduced === 'n/a') return false;
  const allowed = support['allowed-enrollments'];
  if (allowed !== undefined && !allowed.includes('device') && facts['ios.Supervised'] === false) return false;
  return compareVersions(version, support.introduced) >= 0;
}

const byCommand = (tools: RecipeTools): boolean => tools.objections('ScheduleOSUpdate').length === 0;
const byDeclaration = (tools: RecipeTools): boolean => tools.declareUpdate !== null && knowsDeclaration(tools);

async function declare(parameters: Update, tools: RecipeTools): Promise<Decision> {
  const { version, build, deadline, detailsUrl } = parameters;
  if (version === undefined) throw badParameters('a declaration names the version to install', '/version');
  if (deadline === undefined || !deadlineForm.test(deadline)) {
    throw badParameters("a declaration has a deadline in the device's own time, as 2026-12-24T18:00:00", '/deadline');
  }
  await tools.declareUpdate?.({
    enrolmentId: tools.enrolment.id,
    type: DECLARATION,
    payload: {
      TargetOSVersion: version,
      TargetLocalDateTime: deadline,
      ...(build === undefined ? {} : { TargetBuildVersion: build }),
      ...(detailsUrl === undefined ? {} : { DetailsURL: detailsUrl }),
    },
  });
  return succeed({ method: 'declaration', version });
}

function choose(updates: readonly AvailableUpdate[], version: string | undefined): AvailableUpdate | undefined {
  return version === undefined
    ? mainUpdate(updates)
    : mainUpdate(updates.filter((update) => update.version === version));
}

function schedule({ value }: StepOutcome, parameters: Update, tools: RecipeTools): Decision {
  const update = choose(readAvailableUpdates(value).items, parameters.version);
  if (update === undefined) {
    const installed = tools.facts['common.os_version'];
    const wanted = parameters.version;
    if (wanted !== undefined && !(typeof installed === 'string' && compareVersions(installed, wanted) >= 0)) {
      return fail(`the device is not offered ${wanted}`, { method: 'command' });
    }
    return succeed({ method: 'command', upToDate: true });
  }
  const { productKey, version } = update;
  const mac = tools.facts['common.platform'] === 'macOS';
  return send(
    'ScheduleOSUpdate',
    {
      Updates: [
        {
          ProductKey: productKey,
          InstallAction: parameters.action ?? 'InstallASAP',
          ...(version === undefined ? {} : { ProductVersion: version }),
          ...(mac && parameters.maxDeferrals !== undefined ? { MaxUserDeferrals: parameters.maxDeferrals } : {}),
        },
      ],
    },
    { result: { method: 'command', productKey, ...(version === undefined ? {} : { version }) } },
  );
}

/** What the device made of the order. */
function scheduled({ value }: StepOutcome): Decision {
  const results = Array.isArray(value['UpdateResults']) ? value['UpdateResults'].filter(isDict) : [];
  const [result] = results;
  const status = typeof result?.['Status'] === 'string' ? result['Status'] : undefined;
  if (
    result?.['InstallAction'] === 'Error' ||
    /Failed$|Insufficient|RequiresComputer$|InProgress$/.test(status ?? '')
  ) {
    return fail(
      `the device did not take the update: ${status ?? 'Error'}`,
      status === undefined ? {} : { updateStatus: status },
    );
  }
  return send('OSUpdateStatus', {}, status === undefined ? {} : { result: { updateStatus: status } });
}

function statusTold({ value }: StepOutcome): Decision {
  const status = readUpdateStatus(value).items[0]?.status;
  return succeed(status === undefined ? {} : { updateStatus: status });
}

/** Update the system. */
export const softwareUpdate: Recipe<Update> = {
  commands: (_parameters, tools) =>
    byDeclaration(tools) ? [] : ['AvailableOSUpdates', 'ScheduleOSUpdate', 'OSUpdateStatus'],
  start(parameters, tools) {
    if (byDeclaration(tools)) return declare(parameters, tools);
    if (!byCommand(tools)) {
      throw unavailable(
        'this device takes updates by declaration only',
        'give the engine a declareSoftwareUpdate hook',
      );
    }
    // Only Macs are told to look; others look when they are asked.
    return tools.facts['common.platform'] === 'macOS'
      ? send('ScheduleOSUpdateScan', { Force: true })
      : send('AvailableOSUpdates');
  },
  next(outcome, parameters, tools) {
    switch (outcome.requestType) {
      case 'ScheduleOSUpdateScan':
        return send('AvailableOSUpdates');
      case 'AvailableOSUpdates':
        return schedule(outcome, parameters, tools);
      case 'ScheduleOSUpdate':
        return scheduled(outcome);
      default:
        return statusTold(outcome);
    }
  },
  // The update is under way whether or not its status could be asked for; a scan may fail where an update is known.
  failed: ({ requestType, state }) => {
    if (state === 'cancelled') return null;
    if (requestType === 'OSUpdateStatus') return succeed();
    return requestType === 'ScheduleOSUpdateScan' ? send('AvailableOSUpdates') : null;
  },
};
