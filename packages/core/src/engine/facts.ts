// The record that searches and labels see: what the device reported, and what the server knows of its enrolment.
import type { Facts, FactValue } from '../api/common.ts';
import type { DeviceRow, Enrolment, EnrolmentPhase, EnrolmentStatus } from '../api/records.ts';
import type { SqlCases, SqlColumn } from '../contracts/search.ts';

/** How the statuses are called in searches (the catalogue's `common.status`). */
const statusNames: Readonly<Record<EnrolmentStatus, string>> = {
  pending: 'Pending',
  active: 'Active',
  'checked-out': 'Retired',
  retired: 'Retired',
  wiped: 'Wiped',
};

const phaseNames: Readonly<Record<EnrolmentPhase, string>> = {
  lost: 'Lost',
  'wipe-pending': 'Wipe Pending',
  'retire-pending': 'Retire Pending',
};

/** How an enrolment stands, as searches and people call it (`common.status`). */
export function statusName({ status, phase }: Pick<Enrolment, 'status' | 'phase'>): string {
  return phase === null ? statusNames[status] : phaseNames[phase];
}

/** The fields that follow from where an enrolment stands. */
export const STATUS_TOKENS: readonly string[] = ['common.status', 'common.mdm_managed', 'common.retired'];

/** The field of the labels that a device is in. */
export const LABEL_TOKEN = 'common.label';

/** The fields that change whenever a device is heard of. */
export const CONTACT_TOKENS: readonly string[] = ['common.last_connected_at', 'common.mdm_last_checkin'];

/** What the server knows of an enrolment, as facts; they are not stored, so that a poll does not rewrite them. */
export function serverFacts(enrolment: Enrolment): Facts {
  const facts: Record<string, FactValue> = {
    'common.status': statusName(enrolment),
    // A dead push token: the device has left, though it never said so (ABM-28).
    'common.mdm_managed': enrolment.status === 'active' && enrolment.pushable,
    'common.retired': statusNames[enrolment.status] === 'Retired',
  };
  if (enrolment.enrolledAt !== null) facts['common.registration_date'] = enrolment.enrolledAt;
  if (enrolment.lastSeenAt !== null) for (const token of CONTACT_TOKENS) facts[token] = enrolment.lastSeenAt;
  return facts;
}

/** All facts of a device; with the names of its labels where they are given. */
export function allFacts({ enrolment, facts }: DeviceRow, labels?: readonly string[]): Facts {
  const all = { ...facts, ...serverFacts(enrolment) };
  return labels === undefined ? all : { ...all, [LABEL_TOKEN]: labels };
}

/** The columns of a store's enrolments that searches read: SQL expressions; times are epoch milliseconds. */
export interface ServerColumns {
  readonly status: string;
  /** Only of active devices; `NULL` for most. */
  readonly phase: string;
  /** A condition, never `NULL`: whether its push token works, as far as Apple has told. */
  readonly pushable: string;
  readonly enrolledAt: string;
  readonly lastSeenAt: string;
  /** Where there is an index on it: the day of `lastSeenAt` (days since 1970, UTC), which changes less often. */
  readonly lastSeenDay?: string;
}

/**
 * What the server knows of an enrolment (`common.status` and the like), for a store's SQL: the same as the facts that the
 * engine adds to each device. For the `column` of a search's schema.
 */
export function serverColumns(columns: ServerColumns): (token: string) => SqlColumn | SqlCases | undefined {
  const { status, phase, pushable, enrolledAt, lastSeenAt, lastSeenDay } = columns;
  const day = lastSeenDay === undefined ? {} : { coarse: { value: lastSeenDay, unit: 86_400_000 } };
  const names = Object.entries(statusNames);
  const has = (statuses: readonly string[]): string =>
    statuses.length === 1
      ? `${status} = '${statuses[0]}'`
      : `${status} IN (${statuses.map((one) => `'${one}'`).join(', ')})`;
  const where = (test: (name: string, status: string) => boolean): string =>
    has(names.filter(([key, name]) => test(name, key)).map(([key]) => key));
  const flag = (test: (name: string, status: string) => boolean): SqlCases => ({
    cases: [
      { value: true, when: where(test) },
      { value: false, when: where((name, key) => !test(name, key)) },
    ],
  });
  const found = new Map<string, SqlColumn | SqlCases>([
    [
      'common.status',
      {
        cases: [
          ...[...new Set(names.map(([, name]) => name))].map((value) => ({
            value,
            when:
              value === 'Active'
                ? `(${where((_, key) => key === 'active')} AND ${phase} IS NULL)`
                : where((name) => name === value),
          })),
          ...Object.entries(phaseNames).map(([key, value]) => ({ value, when: `(${phase} = '${key}')` })),
        ],
      },
    ],
    [
      'common.mdm_managed',
      {
        cases: [
          { value: true, when: `(${where((_, key) => key === 'active')} AND ${pushable})` },
          { value: false, when: `NOT (${where((_, key) => key === 'active')} AND ${pushable})` },
        ],
      },
    ],
    ['common.retired', flag((name) => name === 'Retired')],
    ['common.registration_date', { value: enrolledAt }],
    ...CONTACT_TOKENS.map((token) => [token, { value: lastSeenAt, ...day }] as const),
  ]);
  return (token) => found.get(token);
}
