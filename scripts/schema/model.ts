// The generator's view of Apple's schema: one `Item` per YAML file, one `Key` per key. Facts only, no prose.

/** The catalogue's kinds, by the folder a file lives in. */
export const kinds = [
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
export type Kind = (typeof kinds)[number];

export const platforms = ['iOS', 'macOS', 'tvOS', 'visionOS', 'watchOS'] as const;
export type Platform = (typeof platforms)[number];

/** Apple's attribute names are kept as they are. */
export interface PlatformSupport {
  introduced?: string;
  deprecated?: string;
  removed?: string;
  sharedipad?: { mode?: string };
  userenrollment?: { mode?: string };
  [attribute: string]: unknown;
}
export type Support = { [P in Platform]?: PlatformSupport };

export const keyTypes = ['string', 'integer', 'real', 'boolean', 'date', 'data', 'array', 'dictionary', 'any'] as const;
export type KeyType = (typeof keyTypes)[number];
export type Scalar = string | number | boolean;

export interface Key {
  key: string;
  type: KeyType;
  presence?: 'required' | 'optional';
  supportedOS?: Support;
  rangelist?: Scalar[];
  range?: { min?: number; max?: number };
  default?: Scalar;
  format?: string;
  repetition?: { min: number; max: number };
  combinetype?: string;
  valuetype?: string;
  subkeytype?: string;
  assettypes?: string[];
  contenttypes?: string[];
  /** The last level that lists the key, when a later level has the file without it. */
  until?: string;
  subkeys?: Key[];
}

export interface Item {
  kind: Kind;
  /** RequestType, PayloadType, declaration type, … as Apple writes it. */
  id: string;
  /** Tells apart the files that describe one payload type, e.g. `Accounts` of `com.apple.MCX(Accounts).yaml`. */
  variant?: string;
  file: string;
  level: string;
  title: string;
  supportedOS?: Support;
  apply?: string;
  beta?: boolean;
  keys: Key[];
  replies?: Key[];
  reasons?: { value: string; details?: { key: string; type: KeyType }[] }[];
  related?: string[];
}
