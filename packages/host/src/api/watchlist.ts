// The WatchList of a configuration (CFG-5): the devices it is queued for and not yet delivered to, as CSV.
import type { Assignment, Engine, Enrolment } from '@espalier/core';
import { toCsv } from './csv.ts';

const HEADER = ['deviceId', 'serialNumber', 'deviceName', 'model', 'osVersion', 'status', 'version', 'updatedAt'];

/** All rows of the WatchList of one configuration. */
export async function watchList(engine: Engine, configurationId: string): Promise<string> {
  const lines: (string | number | null)[][] = [HEADER];
  for await (const assignment of waiting(engine, configurationId)) {
    const enrolment = (await engine.devices.get(assignment.enrolmentId))?.enrolment;
    lines.push(line(assignment, enrolment));
  }
  return toCsv(lines);
}

async function* waiting(engine: Engine, configurationId: string): AsyncGenerator<Assignment> {
  let after: string | null = '';
  while (after !== null) {
    const page = await engine.configurations.assignments(configurationId, {
      limit: 1000,
      ...(after === '' ? {} : { after }),
    });
    // Queued and not yet delivered, as the WatchList count has it.
    yield* page.items.filter(({ status }) => status === 'pending' || status === 'update-pending');
    after = page.next;
  }
}

function line(assignment: Assignment, enrolment: Enrolment | undefined): (string | number | null)[] {
  return [
    assignment.enrolmentId,
    enrolment?.serialNumber ?? null,
    enrolment?.deviceName ?? null,
    enrolment?.productName ?? enrolment?.model ?? null,
    enrolment?.osVersion ?? null,
    assignment.status,
    assignment.version,
    new Date(assignment.updatedAt).toISOString(),
  ];
}
