// What the demo does, phase by phase, and what it finds out.
import type {
  Assignment,
  CommandOutcome,
  Configuration,
  EngineEvent,
  Enrolment,
  Invitation,
  Label,
} from '@espalier/core';
import { createLatencyRecorder, type RequestEvent, runLimited, type SimulatedDevice } from '@espalier/simulator';
import type { AdminApi } from './api.ts';
import type { createScreen } from './screen.ts';

/** What one phase cost. */
export interface PhaseReport {
  readonly name: string;
  readonly devices: number;
  readonly requests: number;
  readonly p50: number;
  readonly p95: number;
  readonly seconds: number;
}

/** An advanced search and what it found. */
export interface SearchReport {
  readonly title: string;
  readonly expression: string;
  readonly total: number;
  readonly devices: readonly { readonly name: string; readonly model: string; readonly os: string }[];
}

/** A label with its members and what was delivered to them. */
export interface LabelReport {
  readonly name: string;
  readonly expression: string;
  readonly members: number;
  readonly configuration: string;
  readonly applied: number;
  readonly notApplicable: number;
  readonly waiting: number;
}

/** One lock command and its answer. */
export interface LockReport {
  readonly device: string;
  readonly state: string;
  readonly answer: string;
}

/** All that the demo found out. */
export interface DemoReport {
  readonly phases: readonly PhaseReport[];
  readonly enrolled: number;
  readonly desiredStateReached: number;
  readonly commandsAcknowledged: number;
  readonly searches: readonly SearchReport[];
  readonly labels: readonly LabelReport[];
  readonly lock: LockReport | null;
  readonly problems: readonly string[];
}

/** What the phases work with. */
export interface DemoWorld {
  readonly fleet: readonly SimulatedDevice[];
  readonly api: AdminApi;
  readonly screen: ReturnType<typeof createScreen>;
  /** Everything that the devices send from now on is reported here. */
  onRequest: (event: RequestEvent) => void;
  /** Ends all waiting, with the reason, when the server is gone. */
  readonly aborted: Promise<never>;
}

const INVENTORY = ['DeviceInformation', 'SecurityInfo', 'InstalledApplicationList', 'ProfileList', 'CertificateList'];
const PATIENCE_MS = 90_000;
const AT_ONCE = 16;

const policies = [
  {
    label: { name: 'iPhones and iPads', expression: '"common.platform" = "iOS"' },
    configuration: {
      name: 'Passcode',
      type: 'passcode',
      settings: { forcePIN: true, minLength: 6, maxFailedAttempts: 10, maxInactivity: 5 },
    },
  },
  {
    label: { name: 'Macs', expression: '"common.platform" = "macOS"' },
    configuration: {
      name: 'Mac passcode',
      type: 'passcode',
      settings: { forcePIN: true, minLength: 12, requireAlphanumeric: true, maxGracePeriod: 5 },
    },
  },
  {
    label: {
      name: 'Supervised, iOS 17 or later',
      expression: '"common.platform" = "iOS" AND "ios.Supervised" = true AND "common.os_version" >= "17.0"',
    },
    configuration: {
      name: 'Restrictions',
      type: 'restrictions',
      settings: { allowAirDrop: false, allowAppClips: false, allowCamera: false, forceEncryptedBackup: true },
    },
  },
] as const;

const searches = [
  {
    title: 'Behind: phones and tablets before iOS 17, Macs before macOS 14',
    expression:
      '("common.platform" = "iOS" AND "common.os_version" < "17.0") OR ("common.platform" = "macOS" AND "common.os_version" < "14.0")',
  },
  {
    title: 'Supervised, with at least half a battery',
    expression: '"ios.Supervised" = true AND "common.battery_level" >= 50',
  },
];

/** Runs every phase. @throws Error when the server cannot be used; what goes wrong with a device is reported. */
export async function runPhases(world: DemoWorld): Promise<DemoReport> {
  const { fleet, api, screen } = world;
  const phases: PhaseReport[] = [];
  const problems: string[] = [];

  async function phase(
    name: string,
    total: number,
    work: (at: (done: number) => void) => Promise<void>,
  ): Promise<void> {
    const progress = screen.progress(name, total);
    const latency = createLatencyRecorder();
    const devices = new Set<string>();
    world.onRequest = (event) => {
      devices.add(event.udid);
      latency.record(name, event.ms);
    };
    const started = performance.now();
    await Promise.race([work((done) => progress.at(done)), world.aborted]);
    const { count, p50, p95 } = latency.summary()[name] ?? { count: 0, p50: 0, p95: 0 };
    phases.push({
      name,
      devices: devices.size,
      requests: count,
      p50,
      p95,
      seconds: (performance.now() - started) / 1000,
    });
    progress.end();
  }

  // Everybody gets an invitation, downloads the profile, gets an identity by SCEP, and checks in. The answers to the
  // inventory queries begin to come while others still enrol, so both are counted from the start.
  const answered = new Map<string, Set<string>>(fleet.map((device) => [device.udid, new Set()]));
  const countAnswers = (event: RequestEvent): void => {
    if (event.kind === 'result' && event.status === 200 && event.requestType) {
      answered.get(event.udid)?.add(event.requestType);
    }
  };
  const inventoried = (): number =>
    [...answered.values()].filter((types) => INVENTORY.every((type) => types.has(type))).length;

  await phase('Enrol', fleet.length, async (at) => {
    const record = world.onRequest;
    world.onRequest = (event) => {
      countAnswers(event);
      record(event);
    };
    let done = 0;
    await runLimited(fleet, AT_ONCE, async (device) => {
      try {
        const { url } = await api.post<Invitation & { url: string }>('/invitations', { note: device.serialNumber });
        await device.enrol(url);
        at(++done);
      } catch (error) {
        problems.push(`${device.serialNumber}: ${(error as Error).message}`);
      }
    });
  });
  const enrolled = fleet.filter((device) => device.phase === 'enrolled');

  // A push wakes each device, which then answers the inventory queries.
  await phase('Report inventory', enrolled.length, async (at) => {
    const record = world.onRequest;
    world.onRequest = (event) => {
      countAnswers(event);
      record(event);
    };
    await until(() => {
      const done = inventoried();
      at(done);
      return done >= enrolled.length;
    });
  });

  // Labels pick devices by what they reported; configurations reach the members.
  const made: { label: Label; configuration: Configuration }[] = [];
  let assignments: Assignment[] = [];
  await phase('Receive policy', enrolled.length, async (at) => {
    for (const { label, configuration } of policies) {
      const newLabel = await api.post<Label>('/labels', label);
      const labelIds = [newLabel.id];
      made.push({ label: newLabel, configuration: await api.post('/configurations', { ...configuration, labelIds }) });
    }
    await until(async () => {
      assignments = (await Promise.all(made.map((item) => assignmentsOf(api, item.configuration)))).flat();
      const waiting = new Set(assignments.filter((row) => !settled(row)).map((row) => row.enrolmentId));
      at(enrolled.length - waiting.size);
      return assignments.length > 0 && waiting.size === 0;
    });
  });

  const labels: LabelReport[] = [];
  const wanted = new Map<string, string[]>();
  for (const { label, configuration } of made) {
    const members = await api.all<Enrolment>(`/labels/${label.id}/members`);
    const rows = assignments.filter((row) => row.configurationId === configuration.id);
    for (const member of members) {
      const row = rows.find(({ enrolmentId }) => enrolmentId === member.id);
      const list = wanted.get(member.id) ?? [];
      wanted.set(member.id, list);
      // A member without an assignment is as wrong as one whose profile is not there.
      if (row === undefined) list.push(`${configuration.name} was never assigned`);
      else if (row.status === 'applied') list.push(row.profileIdentifier);
      else if (row.status !== 'not-applicable') list.push(`${configuration.name} is ${row.status}`);
    }
    labels.push({
      name: label.name,
      expression: label.expression ?? '',
      members: members.length,
      configuration: configuration.name,
      applied: rows.filter((row) => row.status === 'applied').length,
      notApplicable: rows.filter((row) => row.status === 'not-applicable').length,
      waiting: rows.filter((row) => !settled(row)).length,
    });
  }

  // The state that counts is the device's own: every profile that the server calls applied is in its profile store.
  let desiredStateReached = 0;
  for (const device of fleet) {
    const has = new Set(device.state().profiles.map((profile) => profile.identifier));
    const missing = (wanted.get(device.udid) ?? []).filter((identifier) => !has.has(identifier));
    const reported = INVENTORY.every((type) => answered.get(device.udid)?.has(type));
    if (device.phase === 'enrolled' && reported && missing.length === 0) desiredStateReached++;
    else problems.push(`${device.serialNumber}: ${device.phase}, missing ${missing.join(', ') || 'inventory'}`);
  }

  const found: SearchReport[] = [];
  for (const { title, expression } of searches) {
    const page = await api.get<{ items: { enrolment: Enrolment; facts: Record<string, unknown> }[]; total: number }>(
      `/devices?limit=5&search=${encodeURIComponent(expression)}`,
    );
    const devices = page.items.map(({ enrolment, facts }) => ({
      name: String(facts['ios.DeviceName'] ?? enrolment.deviceName ?? enrolment.serialNumber),
      model: String(facts['common.model_name'] ?? enrolment.model ?? ''),
      os: String(facts['common.platform_name'] ?? enrolment.osVersion ?? ''),
    }));
    found.push({ title, expression, total: page.total, devices });
  }

  let lock: LockReport | null = null;
  const target = enrolled.find((device) => device.kind === 'iPhone') ?? enrolled[0];
  if (target !== undefined) {
    await phase('Lock one device', 1, async (at) => {
      const body = { message: 'If found, please call.', phoneNumber: '+1 555 0100' };
      const { commandUuid } = await api.post<{ commandUuid: string }>(`/devices/${target.udid}/lock`, body);
      await until(async () => {
        const outcome = await api.get<CommandOutcome & { answer: Record<string, unknown> | null }>(
          `/devices/${target.udid}/commands/${commandUuid}`,
        );
        if (outcome.finishedAt === null) return false;
        const answer = String(outcome.answer?.['MessageResult'] ?? outcome.answer?.['Status'] ?? outcome.state);
        lock = { device: `${target.kind} ${target.serialNumber}`, state: outcome.state, answer };
        at(1);
        return true;
      });
    });
    const { state } = lock ?? { state: 'unanswered' };
    if (state !== 'acknowledged') problems.push(`the lock command of ${target.serialNumber} is ${state}`);
  }

  const acknowledged = await api.all<EngineEvent>('/events?type=command.acknowledged');
  return {
    phases,
    enrolled: enrolled.length,
    desiredStateReached,
    commandsAcknowledged: acknowledged.length,
    searches: found,
    labels,
    lock,
    problems,
  };
}

function assignmentsOf(api: AdminApi, configuration: Configuration): Promise<Assignment[]> {
  return api.all<Assignment>(`/configurations/${configuration.id}/assignments`);
}

function settled({ status }: Assignment): boolean {
  return status === 'applied' || status === 'not-applicable';
}

/** Waits for what other processes do; whoever asked sees from the figures when it did not come. */
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await done()) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 100));
}
