// What a searchable field is.
import type { Literal, Operator } from './expression.ts';

/**
 * The type of a field's values. `mac` and `udid` are compared without separators, `ver` by dot segments, `enum` after
 * trimming, `pct` is 0 to 100, `ts` an instant, `date` a calendar day; `secret` is text that must not be probed.
 */
export type FieldType =
  | 'str'
  | 'enum'
  | 'ver'
  | 'mac'
  | 'udid'
  | 'ip'
  | 'secret'
  | 'bool'
  | 'int'
  | 'bytes'
  | 'pct'
  | 'ts'
  | 'date';

/** One of the values of a list field. */
export interface FieldValue {
  readonly value: string;
  /** The first level of a two-level list (the country of an operator); not part of an expression. */
  readonly group?: string;
  /** Other spellings of the same value. */
  readonly aliases?: readonly string[];
  /** A second fact that makes this value match (`Blocked` of the status is also the flag `blocked`). */
  readonly also?: { readonly field: string; readonly value: Literal };
}

/** The Apple operating systems, and the platforms of other vendors. */
export type Platform = 'iOS' | 'iPadOS' | 'macOS' | 'tvOS' | 'watchOS' | 'visionOS' | 'Android' | 'Windows';

/** Where the value of a field comes from. */
export interface FieldSource {
  /**
   * `DeviceInformation`, `SecurityInfo` and so on: the response to that command. `CheckIn`: a check-in message.
   * `ProfileService`: the device attributes of over-the-air enrolment. `StatusReport`: a declarative status item.
   * `Registration`, `Directory`, `Roster`, `ADE`: those records of the server. `Server`: a fact the server keeps.
   * `Agent`: an app on the device. `External`: another product. `None`: no source on Apple devices.
   */
  readonly from:
    | 'DeviceInformation'
    | 'SecurityInfo'
    | 'InstalledApplicationList'
    | 'Restrictions'
    | 'AvailableOSUpdates'
    | 'OSUpdateStatus'
    | 'UserList'
    | 'ActivationLockBypassCode'
    | 'StatusReport'
    | 'CheckIn'
    | 'ProfileService'
    | 'Registration'
    | 'Directory'
    | 'Roster'
    | 'ADE'
    | 'Server'
    | 'Agent'
    | 'External'
    | 'None';
  /** The key of the response or message, dots for nesting, `[]` for an array. */
  readonly key?: string;
  /** How the value is derived, where it is not taken as it is. */
  readonly note?: string;
}

/** A searchable field. */
export interface Field {
  /** Canonical token, e.g. `common.platform`. The first segment is usually the category. */
  readonly token: string;
  readonly displayName: string;
  /** Menu path above the display name. */
  readonly path?: readonly string[];
  readonly category: string;
  readonly type: FieldType;
  /** Several values per device: a positive operator matches when some value does. */
  readonly multi?: boolean;
  /** Known values. The list is open: another value is a warning only. */
  readonly values?: readonly FieldValue[];
  /** Positive operators, where the field allows fewer than its type. */
  readonly operators?: readonly Operator[];
  /** The value of a record that has none (`false` for accepted terms of service). Without it a missing value is null. */
  readonly whenMissing?: Literal;
  /** Secrets: without permission only the blank tests are allowed. */
  readonly sensitive?: boolean;
  /** Platforms that have the field; empty means all. */
  readonly platforms: readonly Platform[];
  /** Who fills the field: Apple's protocol and this server, or another vendor's platform, agent or service. */
  readonly vendor: 'apple' | 'server' | 'other';
  readonly sources: readonly FieldSource[];
  /** Other tokens for the same field. */
  readonly aliases?: readonly string[];
  /** What to know about the values. */
  readonly note?: string;
}
