// The short notation in which the catalogue's tables are written.
import type { Literal, Operator } from '../expression.ts';
import type { Field, FieldSource, FieldType, Platform } from '../field.ts';

const SOURCES = {
  DI: 'DeviceInformation',
  SI: 'SecurityInfo',
  IA: 'InstalledApplicationList',
  RS: 'Restrictions',
  AU: 'AvailableOSUpdates',
  US: 'OSUpdateStatus',
  UL: 'UserList',
  AL: 'ActivationLockBypassCode',
  ST: 'StatusReport',
  CI: 'CheckIn',
  PS: 'ProfileService',
  RG: 'Registration',
  DR: 'Directory',
  RO: 'Roster',
  AD: 'ADE',
  SV: 'Server',
  AG: 'Agent',
  EX: 'External',
  NO: 'None',
} as const satisfies Record<string, FieldSource['from']>;

/** What a table's row may add. */
export interface Extra {
  readonly path?: readonly string[];
  readonly values?: readonly (string | NonNullable<Field['values']>[number])[];
  readonly operators?: readonly Operator[];
  readonly whenMissing?: Literal;
  readonly platforms?: readonly Platform[];
  readonly aliases?: readonly string[];
  readonly note?: string;
}

/** One row: name below the category, display name, type (`[]` for several values), sources, more. */
export type Row = readonly [name: string, displayName: string, type: string, sources: string, extra?: Extra];

/**
 * Sources are written `DI.BatteryLevel (× 100) | ST.device.power` : a code from the list above, a dot and a key, and a
 * remark in parentheses.
 */
function readSource(text: string): FieldSource {
  const m = /^([A-Z]{2})(?:\.([^(]+?))?(?:\s*\((.*)\))?$/.exec(text.trim())!;
  const from = SOURCES[m[1] as keyof typeof SOURCES];
  return { from, ...(m[2] === undefined ? {} : { key: m[2] }), ...(m[3] === undefined ? {} : { note: m[3] }) };
}

function vendorOf(sources: readonly FieldSource[]): Field['vendor'] {
  const outside: readonly FieldSource['from'][] = ['Agent', 'External', 'None'];
  const own: readonly FieldSource['from'][] = ['Server', 'Registration', 'Directory', 'Roster'];
  if (sources.every((s) => outside.includes(s.from))) return 'other';
  return sources.every((s) => own.includes(s.from) || outside.includes(s.from)) ? 'server' : 'apple';
}

/** Turns the rows of one category into fields. */
export function define(category: string, rows: readonly Row[], platforms: readonly Platform[] = []): Field[] {
  return rows.map(([name, displayName, type, sourceText, extra = {}]) => {
    const base = type.replace('[]', '') as FieldType;
    const sources = sourceText.split(' | ').map(readSource);
    const { values, aliases, ...rest } = extra;
    return {
      token: `${category}.${name}`,
      displayName,
      category: category.split('.')[0]!,
      type: base,
      ...(type.endsWith('[]') ? { multi: true } : {}),
      ...(base === 'secret' ? { sensitive: true } : {}),
      vendor: vendorOf(sources),
      sources,
      ...(values === undefined ? {} : { values: values.map((v) => (typeof v === 'string' ? { value: v } : v)) }),
      // An alias without a dot is a name in the same category.
      ...(aliases === undefined ? {} : { aliases: aliases.map((a) => (a.includes('.') ? a : `${category}.${a}`)) }),
      platforms,
      ...rest,
    };
  });
}
