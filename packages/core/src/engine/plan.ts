// What is to be done for one device: desired configurations against assignments and installed profiles. Pure.
import type { AssignmentStatus, Configuration, InstalledProfile } from '../api/records.ts';
import type { AssignmentRecord } from '../contracts/configurations.ts';
import type { CompiledConfiguration } from './options.ts';

/** One step for one configuration of one device. */
export type PlanStep =
  | {
      readonly step: 'install';
      readonly configuration: Configuration;
      readonly compiled: Extract<CompiledConfiguration, { applicable: true }>;
      readonly status: Extract<AssignmentStatus, 'pending' | 'update-pending'>;
    }
  | { readonly step: 'remove'; readonly assignment: AssignmentRecord; readonly detail: string | null }
  | { readonly step: 'not-applicable'; readonly configuration: Configuration; readonly reason: string }
  | { readonly step: 'forget'; readonly assignment: AssignmentRecord };

/** What one device is to have, has been told to have, and has. */
export interface DevicePlanInput {
  readonly desired: readonly { readonly configuration: Configuration; readonly compiled: CompiledConfiguration }[];
  readonly assignments: readonly AssignmentRecord[];
  readonly installed: readonly InstalledProfile[];
}

/** Whether the device lists the profile that the assignment is about. */
export function isListed(assignment: AssignmentRecord, installed: readonly InstalledProfile[]): boolean {
  return installed.some(
    ({ identifier, uuid }) =>
      identifier === assignment.profileIdentifier && uuid.toUpperCase() === assignment.profileUuid?.toUpperCase(),
  );
}

/** Plans the steps for one device. Planning again after the steps were taken gives no steps. */
export function planDevice({ desired, assignments, installed }: DevicePlanInput): PlanStep[] {
  const steps: PlanStep[] = [];
  const left = new Map(assignments.map((assignment) => [assignment.configurationId, assignment]));
  for (const { configuration, compiled } of desired) {
    const assignment = left.get(configuration.id);
    left.delete(configuration.id);
    if (!compiled.applicable) {
      if (assignment === undefined || assignment.status === 'not-applicable') {
        if (assignment?.detail !== compiled.reason || assignment.version !== configuration.version) {
          steps.push({ step: 'not-applicable', configuration, reason: compiled.reason });
        }
      } else if (assignment.status !== 'removal-pending' && !keeps(assignment, configuration, compiled.keepUuid)) {
        steps.push({ step: 'remove', assignment, detail: compiled.reason });
      }
      continue;
    }
    if (assignment === undefined || !isCurrent(assignment, configuration, compiled, installed)) {
      const known = assignment !== undefined && assignment.profileUuid !== null;
      const update = known && assignment.status !== 'removal-pending' && assignment.version !== configuration.version;
      steps.push({ step: 'install', configuration, compiled, status: update ? 'update-pending' : 'pending' });
    }
  }
  for (const assignment of left.values()) {
    if (assignment.profileUuid === null) steps.push({ step: 'forget', assignment });
    else if (assignment.status !== 'removal-pending') steps.push({ step: 'remove', assignment, detail: null });
  }
  return steps;
}

/** Whether what is on the device may stay, though it could not be delivered any more. */
function keeps(assignment: AssignmentRecord, { version }: Configuration, keepUuid: string | undefined): boolean {
  return keepUuid !== undefined && (assignment.profileUuid === keepUuid || assignment.version !== version);
}

/** Whether nothing is to be done: this version was queued, delivered or refused already, and did not go missing since. */
function isCurrent(
  assignment: AssignmentRecord,
  configuration: Configuration,
  { profile }: Extract<CompiledConfiguration, { applicable: true }>,
  installed: readonly InstalledProfile[],
): boolean {
  if (assignment.status === 'removal-pending' || assignment.profileUuid !== profile.uuid) return false;
  if (assignment.version !== configuration.version || assignment.profileIdentifier !== profile.identifier) return false;
  return !(assignment.status === 'applied' && assignment.verifiable && !isListed(assignment, installed));
}
