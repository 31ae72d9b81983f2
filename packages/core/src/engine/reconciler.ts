// The reconciler: takes marked devices, plans for all of them, and queues each distinct profile once for all who need it.
import { createHash } from 'node:crypto';
import type { Facts } from '../api/common.ts';
import type { Configuration, DeviceRow } from '../api/records.ts';
import type { AssignmentRecord, ReconcileMark } from '../contracts/configurations.ts';
import type { NewEvent } from '../contracts/shared.ts';
import type { CredentialWork } from '../credentials/work.ts';
import { buildCommand, enqueueCommands } from './commands.ts';
import { type Context, chunks } from './context.ts';
import { allFacts } from './facts.ts';
import type { CompileConfiguration, CompiledConfiguration, EngineInput, LateValue } from './options.ts';
import { type PlanStep, planDevice } from './plan.ts';
import { rememberByReads } from './tracking.ts';
import { forUser, speaksOfUser } from './user-variable.ts';

/** The dedupe key of all commands about one profile: the newest intent replaces what is pending. */
export function profileKey(identifier: string): string {
  return `profile:${identifier}`;
}

/** Compiles one configuration; `extra` are facts that are not the device's own. */
type Compiler = (row: DeviceRow, extra?: Facts) => CompiledConfiguration;

/** Reconciles marked devices. */
export interface Reconciler {
  /** Works on all marks that are due; returns how many devices it looked at. */
  run(): Promise<number>;
}

interface Group {
  readonly requestType: 'InstallProfile' | 'RemoveProfile';
  readonly identifier: string;
  readonly bytes: Uint8Array | null;
  readonly late?: readonly LateValue[] | undefined;
  readonly records: AssignmentRecord[];
}

interface Work {
  readonly groups: Map<string, Group>;
  readonly put: AssignmentRecord[];
  readonly remove: { enrolmentId: string; configurationId: string }[];
  readonly events: NewEvent[];
}

const CHUNK = 2_000;
const AT_ONCE = 50_000;
const LEASE_MS = 5 * 60_000;

/** Makes the reconciler; without a compiler it leaves the marks alone. */
export function createReconciler(
  context: Context,
  compile: CompileConfiguration | undefined,
  signProfile: EngineInput['signProfile'],
  credentials: CredentialWork,
): Reconciler {
  const { store, clock } = context;
  let compilers = new Map<string, Compiler>();

  /** The compiled form for a device; equal devices share it (the same object, so that bytes need no comparing). */
  function compilerFor(configuration: Configuration): Compiler {
    const key = `${configuration.id}\n${configuration.version}`;
    const kept = compilers.get(key);
    if (kept !== undefined) return kept;
    if (compilers.size > 1_000) compilers = new Map();
    const remembered = rememberByReads((device: DeviceRow) => compileSafely(configuration, device));
    const made = (row: DeviceRow, extra?: Facts) => {
      const facts = allFacts(row);
      return remembered({ enrolment: row.enrolment, facts: extra === undefined ? facts : { ...facts, ...extra } });
    };
    compilers.set(key, made);
    return made;
  }

  function compileSafely(configuration: Configuration, device: DeviceRow): CompiledConfiguration {
    try {
      if (!speaksOfUser(configuration)) return compile!(configuration, device);
      const personal = forUser(configuration, device);
      return 'applicable' in personal ? personal : compile!(personal, device);
    } catch (error) {
      // Settings that do not compile must not keep the device's other configurations from it.
      context.logger.error({ error, configurationId: configuration.id }, 'a configuration does not compile');
      return { applicable: false, reason: error instanceof Error ? error.message : 'it does not compile' };
    }
  }

  /** The devices of user channels. */
  async function parentsOf(rows: readonly DeviceRow[]): Promise<ReadonlyMap<string, DeviceRow>> {
    const ids = [...new Set(rows.flatMap(({ enrolment }) => enrolment.parent ?? []))];
    const found = ids.length === 0 ? [] : await store.inventory.rows(ids);
    return new Map(found.map((row) => [row.enrolment.id, row]));
  }

  async function plan(marks: readonly ReconcileMark[], work: Work): Promise<void> {
    const marked = marks.map((mark) => mark.enrolmentId);
    // What a Shared iPad is to have, its users may have to have.
    const ids = [...new Set([...marked, ...(await store.enrolments.usersOf(marked))])];
    const rows = await store.inventory.rows(ids);
    const parents = await parentsOf(rows);
    const [desired, assignments, installed] = await Promise.all([
      store.configurations.desired([...new Set([...ids, ...parents.keys()])]),
      store.configurations.assignmentsOf(ids),
      store.inventory.profiles(ids),
    ]);
    const configurations = new Map<string, Configuration | null>();
    for (const configurationId of new Set([...desired.values()].flat())) {
      configurations.set(configurationId, await store.configurations.get(configurationId));
    }
    const credentialFacts = await credentials.facts(rows);
    for (const row of rows) {
      const { id, status, channel, kind, parent: parentId } = row.enrolment;
      const parent = parentId === null ? undefined : parents.get(parentId);
      const ofSharedIpad = kind === 'shared-ipad-user' && parent !== undefined;
      if (status !== 'active' || (channel !== 'device' && !ofSharedIpad)) continue;
      const device = ofSharedIpad ? { enrolment: row.enrolment, facts: { ...parent.facts, ...row.facts } } : row;
      const extra = credentialFacts.get(id);
      const wanted = (desired.get(parentId ?? id) ?? []).flatMap((configurationId) => {
        const configuration = configurations.get(configurationId);
        if (configuration == null || (ofSharedIpad && !speaksOfUser(configuration))) return [];
        return [{ configuration, compiled: compilerFor(configuration)(device, extra) }];
      });
      const steps = planDevice({
        desired: wanted,
        assignments: assignments.get(id) ?? [],
        installed: installed.get(id) ?? [],
      });
      for (const step of steps) collect(work, id, step, clock.now());
    }
  }

  async function execute(work: Work, signed: Map<string, Uint8Array>): Promise<void> {
    for (const group of work.groups.values()) {
      if (group.late !== undefined) await credentials.prepare(group.late, group.records);
      const command = buildCommand(context, {
        requestType: group.requestType,
        payload: await payloadOf(group, signed),
        late: group.late,
        dedupeKey: profileKey(group.identifier),
        onDuplicate: 'replace',
        origin: 'reconciler',
      });
      await enqueueCommands(
        context,
        [command],
        group.records.map((record) => record.enrolmentId),
      );
      for (const record of group.records) work.put.push({ ...record, commandUuid: command.commandUuid });
    }
    for (const record of work.put) work.events.push(assignmentEvent(record, clock.now()));
    for (const part of chunks(work.put, 5_000))
      await store.configurations.putAssignments({ put: part, remove: [], events: [] });
    if (work.remove.length > 0) await store.configurations.putAssignments({ put: [], remove: work.remove, events: [] });
    for (const part of chunks(work.events, 5_000)) await store.events.append(part);
    context.bus.poke();
  }

  /** Gives the marks back when the work on them fails, so that nobody waits for the lease to end. */
  async function orRelease(marks: readonly ReconcileMark[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const enrolmentIds = marks.map((mark) => mark.enrolmentId);
      await store.configurations.mark({ enrolmentIds, at: clock.now() });
      throw error;
    }
  }

  async function payloadOf(group: Group, signed: Map<string, Uint8Array>): Promise<Readonly<Record<string, unknown>>> {
    if (group.bytes === null) return { Identifier: group.identifier };
    if (signProfile === undefined || group.late !== undefined) return { Payload: group.bytes };
    const key = createHash('sha256').update(group.bytes).digest('hex');
    const bytes = signed.get(key) ?? (await signProfile(group.bytes));
    signed.set(key, bytes);
    return { Payload: bytes };
  }

  return {
    async run() {
      if (compile === undefined) return 0;
      await context.vault.ready();
      const signed = new Map<string, Uint8Array>();
      let total = 0;
      for (;;) {
        const work: Work = { groups: new Map(), put: [], remove: [], events: [] };
        const claimed: ReconcileMark[] = [];
        for (;;) {
          const marks = await store.configurations.claimMarks({ at: clock.now(), leaseMs: LEASE_MS, limit: CHUNK });
          claimed.push(...marks);
          await orRelease(claimed, () => plan(marks, work));
          if (marks.length < CHUNK || claimed.length >= AT_ONCE) break;
        }
        if (claimed.length === 0) return total;
        await orRelease(claimed, () => execute(work, signed));
        await store.configurations.clearMarks(claimed);
        total += claimed.length;
      }
    },
  };
}

/** The event of an assignment's new state. */
export function assignmentEvent(record: AssignmentRecord, at: number): NewEvent {
  const { enrolmentId, configurationId, configurationName, status, version, detail } = record;
  return {
    type: 'assignment.changed',
    at,
    enrolmentId,
    data: { configurationId, configuration: configurationName, status, version, detail },
  };
}

function collect(work: Work, enrolmentId: string, step: PlanStep, at: number): void {
  if (step.step === 'forget') {
    work.remove.push({ enrolmentId, configurationId: step.assignment.configurationId });
    return;
  }
  if (step.step === 'not-applicable') {
    const { id, name, version } = step.configuration;
    work.put.push({
      enrolmentId,
      configurationId: id,
      configurationName: name,
      profileIdentifier: '',
      profileUuid: null,
      verifiable: false,
      status: 'not-applicable',
      version,
      commandUuid: null,
      detail: step.reason,
      updatedAt: at,
    });
    return;
  }
  if (step.step === 'remove') {
    const { profileIdentifier } = step.assignment;
    const group = groupOf(work, `remove\n${profileIdentifier}`, {
      requestType: 'RemoveProfile',
      identifier: profileIdentifier,
      bytes: null,
      records: [],
    });
    group.records.push({ ...step.assignment, status: 'removal-pending', detail: step.detail, updatedAt: at });
    return;
  }
  const { configuration, compiled, status } = step;
  const { identifier, uuid, bytes } = compiled.profile;
  // The UUID stands for the content; the hash of the bytes guards against a compiler for which it does not.
  const hash = createHash('sha256').update(bytes).digest('base64');
  const late = compiled.late === undefined || compiled.late.length === 0 ? undefined : compiled.late;
  const group = groupOf(work, `install\n${identifier}\n${hash}\n${late === undefined ? '' : JSON.stringify(late)}`, {
    requestType: 'InstallProfile',
    identifier,
    bytes,
    late,
    records: [],
  });
  group.records.push({
    enrolmentId,
    configurationId: configuration.id,
    configurationName: configuration.name,
    profileIdentifier: identifier,
    profileUuid: uuid,
    verifiable: compiled.verifiable,
    status,
    version: configuration.version,
    commandUuid: null,
    detail: null,
    updatedAt: at,
  });
}

function groupOf(work: Work, key: string, empty: Group): Group {
  const group = work.groups.get(key);
  if (group !== undefined) return group;
  work.groups.set(key, empty);
  return empty;
}
