// The devices that a search finds, as CSV (SRCH-2): all of them, not one page.
import type { DeviceRow, Engine, FactValue } from '@espalier/core';
import { toCsv } from './csv.ts';

const HEADER = [
  'deviceId',
  'deviceName',
  'serialNumber',
  'platform',
  'model',
  'osVersion',
  'status',
  'enrolledAt',
  'lastSeenAt',
];

/** All rows of a search. */
export async function deviceTable(
  engine: Engine,
  query: NonNullable<Parameters<Engine['devices']['list']>[0]>,
): Promise<string> {
  const lines: (string | null)[][] = [HEADER];
  let after: string | null = null;
  do {
    const page: Awaited<ReturnType<Engine['devices']['list']>> = await engine.devices.list({
      ...query,
      limit: 1000,
      ...(after === null ? {} : { after }),
    });
    lines.push(...page.items.map(line));
    after = page.next;
  } while (after !== null);
  return toCsv(lines);
}

function line({ enrolment, facts }: DeviceRow): (string | null)[] {
  return [
    enrolment.id,
    textOf(facts['ios.DeviceName']) ?? enrolment.deviceName,
    enrolment.serialNumber,
    textOf(facts['common.platform']),
    textOf(facts['common.model_name']) ?? enrolment.productName ?? enrolment.model,
    textOf(facts['common.os_version']) ?? enrolment.osVersion,
    textOf(facts['common.status']),
    timeOf(enrolment.enrolledAt),
    timeOf(enrolment.lastSeenAt),
  ];
}

const textOf = (value: FactValue | undefined): string | null => (typeof value === 'string' ? value : null);
const timeOf = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
