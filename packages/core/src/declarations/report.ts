// Takes status reports: kept as sent, merged into the status, told apart by declaration, read into facts.
import {
  clientCapabilities,
  type DeclarationState,
  type DeviceStatus,
  declarationStates,
  mergeStatus,
  readStatusReport,
  type StatusReportMessage,
  statusFacts,
} from '@espalier/apple-mdm';
import type { DeclarationStateRecord } from '../contracts/declarations.ts';
import type { NewEvent } from '../contracts/shared.ts';
import type { Context } from '../engine/context.ts';
import type { LabelService } from '../engine/labels.ts';
import { CoreError } from '../errors.ts';
import type { SnapshotItem } from './snapshot.ts';

/** How many reports are kept as they were sent. */
export const REPORTS_KEPT = 10;
/** Events of one report at most: a device may have hundreds of declarations, and a report is not trusted. */
const EVENTS_AT_MOST = 200;

/** Under which name a report is kept; the oldest is overwritten. */
export function reportName(number: number): string {
  return `status-report.${number % REPORTS_KEPT}`;
}

/** Takes one report of a channel that has a token. */
export async function takeReport(
  context: Context,
  labels: LabelService,
  enrolmentId: string,
  data: Uint8Array,
  snapshotOf: (token: string) => Promise<readonly SnapshotItem[]>,
): Promise<void> {
  const { store } = context;
  const report = readStatusReport(data);
  for (let attempt = 0; ; attempt++) {
    const sync = (await store.declarations.syncs([enrolmentId])).get(enrolmentId);
    if (sync === undefined) throw new CoreError('core.enrolment.unknown', 'forbidden', 'the channel has just left');
    const at = context.clock.now();
    const scope = enrolmentId;
    const name = reportName(sync.reports);
    const kept = Buffer.concat([Buffer.from(`${at}\n`), data]);
    const blob = context.vault.seal(kept, { kind: 'secret', key: [scope, name] });
    await store.secrets.put({ scope, name, blob, at });
    const before = readStatus(await store.declarations.status(enrolmentId));
    const status = mergeStatus(before, report);
    const wanted = new Set((await snapshotOf(sync.token)).map((item) => item.identifier));
    const states = mergeStates(await store.declarations.statesOf(enrolmentId), report, wanted, enrolmentId, at);
    const capabilities = clientCapabilities(report.items);
    const taken = await store.declarations.report({
      enrolmentId,
      expectedReports: sync.reports,
      at,
      status: writeStatus(status),
      capabilities: capabilities === null ? null : JSON.stringify(capabilities),
      states: states.states,
      events: states.events,
    });
    if (!taken && attempt < 5) continue;
    if (!taken)
      throw new CoreError('core.declaration.conflict', 'unavailable', 'the channel sends several reports at once');
    if (capabilities !== null && JSON.stringify(capabilities) !== sync.capabilities) {
      // What it takes decides on what it gets.
      await store.declarations.mark({ enrolmentIds: [enrolmentId], at });
    }
    await applyFacts(context, labels, enrolmentId, report, status);
    context.bus.poke();
    return;
  }
}

/** The declarations' states have a place of their own, and capabilities too. */
function writeStatus(status: DeviceStatus): string {
  const kept = [...status].filter(
    ([name]) => name !== 'management.declarations' && name !== 'management.client-capabilities',
  );
  return JSON.stringify(Object.fromEntries(kept));
}

/** The status as it was stored. */
export function readStatus(text: string | null): DeviceStatus {
  return new Map(text === null ? [] : Object.entries(JSON.parse(text) as Record<string, unknown>));
}

function mergeStates(
  before: readonly DeclarationStateRecord[],
  report: StatusReportMessage,
  wanted: ReadonlySet<string>,
  enrolmentId: string,
  at: number,
): { readonly states: readonly DeclarationStateRecord[]; readonly events: readonly NewEvent[] } {
  const told = declarationStates(report.items);
  if (told === null) return { states: before, events: [] };
  const old = new Map(before.map((record) => [record.identifier, record]));
  const reported = new Set(told.states.map((state) => state.identifier));
  const after = new Map<string, DeclarationStateRecord>();
  // A report may leave out what did not change; what is neither in it nor wanted any more is gone.
  if (!report.fullReport)
    for (const [identifier, record] of old) if (wanted.has(identifier)) after.set(identifier, record);
  for (const identifier of told.removed) if (!reported.has(identifier)) after.delete(identifier);
  const events: NewEvent[] = [];
  for (const state of told.states) {
    after.set(state.identifier, { ...state, enrolmentId, reportedAt: at });
    const known = old.get(state.identifier);
    if (known !== undefined && sameState(known, state)) continue;
    if (events.length < EVENTS_AT_MOST) events.push(reportedEvent(enrolmentId, state, at));
  }
  return { states: [...after.values()], events };
}

const codesOf = (state: DeclarationState): string[] =>
  state.reasons.map((reason) => reason.code.slice(0, 100)).slice(0, 20);

function sameState(a: DeclarationState, b: DeclarationState): boolean {
  return (
    a.serverToken === b.serverToken &&
    a.active === b.active &&
    a.valid === b.valid &&
    codesOf(a).join('\n') === codesOf(b).join('\n')
  );
}

function reportedEvent(enrolmentId: string, state: DeclarationState, at: number): NewEvent {
  const { identifier, kind, serverToken, active, valid } = state;
  const data = {
    identifier: identifier.slice(0, 100),
    kind,
    serverToken: serverToken.slice(0, 100),
    active,
    valid,
    reasons: codesOf(state),
  };
  return { type: 'declaration.reported', at, enrolmentId, data };
}

/** What the device told of itself becomes facts, and facts decide on labels, configurations and declarations. */
async function applyFacts(
  context: Context,
  labels: LabelService,
  enrolmentId: string,
  report: StatusReportMessage,
  status: DeviceStatus,
): Promise<void> {
  const { store, clock } = context;
  const facts = statusFacts(report.items, status);
  if (Object.keys(facts).length === 0) return;
  // A user channel tells of its user, the device channel of the device.
  if ((await store.enrolments.get(enrolmentId))?.channel !== 'device') return;
  const at = clock.now();
  const event: NewEvent = { type: 'inventory.updated', at, enrolmentId, data: { source: 'StatusReport' } };
  const applied = await store.inventory.apply({ enrolmentId, at, facts, complete: false, event });
  if (applied === null || applied.changed.length === 0) return;
  await labels.evaluateDevices([enrolmentId], applied.changed, 'StatusReport');
  if ((await store.configurations.desired([enrolmentId])).size > 0) {
    await store.configurations.mark({ enrolmentIds: [enrolmentId], at });
  }
  if (applied.changed.includes('common.os_version')) {
    await store.declarations.mark({ enrolmentIds: [enrolmentId], at });
  }
  context.kick.reconciler();
}
