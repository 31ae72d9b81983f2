// The catalogue's shapes: one `SchemaItem` per file of Apple's schema, one `SchemaKey` per key. Facts only, no prose.

/** The catalogue's kinds, in catalogue order. `credential` is the data a credential asset refers to. */
export const schemaKinds = [
  'command',
  'checkin',
  'profile',
  'declaration',
  'credential',
  'protocol',
  'status',
  'error',
  'other',
] as const;
/** One of the catalogue's kinds. */
export type SchemaKind = (typeof schemaKinds)[number];

/** Apple's platforms, in the schema's order. iPadOS is `iOS`. */
export const platforms = ['iOS', 'macOS', 'tvOS', 'visionOS', 'watchOS'] as const;
/** One of Apple's platforms. */
export type Platform = (typeof platforms)[number];

/** How a thing behaves where a mode (Shared iPad, User Enrolment) is, or is not, in effect. */
export type SupportMode = 'allowed' | 'required' | 'forbidden' | 'ignored';

/** Availability on one platform, under Apple's own attribute names. An attribute that is absent is inherited. */
export interface PlatformSupport {
  /** First OS version; `n/a` for none, `all` for every one. */
  readonly introduced?: string;
  readonly deprecated?: string;
  /** First OS version without it. */
  readonly removed?: string;
  /** The access right that the server needs, as the schema names it. */
  readonly accessrights?: string;
  /** Whether a device takes several payloads of this type. */
  readonly multiple?: boolean;
  readonly devicechannel?: boolean;
  readonly userchannel?: boolean;
  readonly supervised?: boolean;
  /** Only on devices enrolled with Automated Device Enrolment. */
  readonly requiresdep?: boolean;
  readonly userapprovedmdm?: boolean;
  readonly allowmanualinstall?: boolean;
  readonly sharedipad?: {
    readonly mode?: SupportMode;
    readonly devicechannel?: boolean;
    readonly userchannel?: boolean;
    readonly 'allowed-scopes'?: readonly string[];
  };
  readonly userenrollment?: { readonly mode?: SupportMode };
  readonly 'always-skippable'?: boolean;
  readonly 'allowed-enrollments'?: readonly string[];
  readonly 'allowed-scopes'?: readonly string[];
  readonly beta?: boolean;
}
/** Availability by platform. */
export type Support = { readonly [P in Platform]?: PlatformSupport };

/** The schema's value types. */
export const keyTypes = ['string', 'integer', 'real', 'boolean', 'date', 'data', 'array', 'dictionary', 'any'] as const;
/** One of the schema's value types. */
export type KeyType = (typeof keyTypes)[number];
/** A value in a rangelist or a default. */
export type Scalar = string | number | boolean;

/** A condition on one key: these values (`null` = absent), or just present or absent. */
export type RuleCondition = readonly (Scalar | null)[] | 'present' | 'absent';

/** A combination rule over the keys of one dictionary, as the schema's descriptions state it. */
export interface SchemaRule {
  /** All must hold. A key that is absent counts with its default. */
  readonly when?: Readonly<Record<string, RuleCondition>>;
  readonly require?: readonly string[];
  readonly forbid?: readonly string[];
  readonly oneOf?: readonly string[];
  readonly anyOf?: readonly string[];
  readonly atMostOne?: readonly string[];
  /** At least one of these is `true`. */
  readonly anyTrue?: readonly string[];
  /** Marked required, but not needed. */
  readonly waive?: readonly string[];
  /** Has no effect here. */
  readonly ignored?: readonly string[];
}

/** One key. */
export interface SchemaKey {
  /** The key's name; `ANY` or `ANY …` stands for any name; for an array's item it is a placeholder. */
  readonly key: string;
  readonly type: KeyType;
  readonly presence?: 'required' | 'optional';
  /** What the key states itself; the rest is inherited (`effectiveSupport`). */
  readonly supportedOS?: Support;
  readonly rangelist?: readonly Scalar[];
  readonly range?: { readonly min?: number; readonly max?: number };
  readonly default?: Scalar;
  /** A regular expression. */
  readonly format?: string;
  /** On an array's item: how many items. */
  readonly repetition?: { readonly min: number; readonly max: number };
  /** How values from several declarations combine. */
  readonly combinetype?: string;
  /** `url`, `hostname`, `email`, … */
  readonly valuetype?: string;
  readonly subkeytype?: string;
  /** Declaration types of the assets that the value may name. */
  readonly assettypes?: readonly string[];
  /** Media types that the asset may have. */
  readonly contenttypes?: readonly string[];
  /** The schema object whose keys are the possible values, as `SkipKeys`. */
  readonly valuesfrom?: string;
  /** The last level that lists the key, when a later level has the file without it. */
  readonly until?: string;
  /** The schema describes one dictionary; devices send a list of them (the results of Settings). */
  readonly listed?: true;
  readonly rules?: readonly SchemaRule[];
  /** A dictionary's keys, an array's item (or alternatives), or a string's possible values. */
  readonly subkeys?: readonly SchemaKey[];
}

/** One file of Apple's schema. */
export interface SchemaItem {
  readonly kind: SchemaKind;
  /** RequestType, MessageType, PayloadType, declaration type, status item name, error code. */
  readonly id: string;
  /** Tells apart the files that describe one payload type, e.g. `Accounts` of `com.apple.MCX(Accounts).yaml`. */
  readonly variant?: string;
  readonly file: string;
  /** The level that the text comes from. */
  readonly level: string;
  readonly title: string;
  readonly supportedOS?: Support;
  /** How several declarations of this type apply: `single`, `multiple` or `combined`. */
  readonly apply?: string;
  readonly beta?: boolean;
  readonly rules?: readonly SchemaRule[];
  readonly keys: readonly SchemaKey[];
  /** Keys of the answer: a command's response, a check-in's reply. */
  readonly replies?: readonly SchemaKey[];
  /** Status reason codes. */
  readonly reasons?: readonly {
    readonly value: string;
    readonly details?: readonly { readonly key: string; readonly type: KeyType }[];
  }[];
  /** Status items that tell about this declaration. */
  readonly related?: readonly string[];
}
