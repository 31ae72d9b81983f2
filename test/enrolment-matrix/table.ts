// Which device enrols in which way, by Apple's documentation and schema: the table that the matrix is generated from.
import type { EnrolmentKind } from '@espalier/apple-mdm';
import type { DeviceTraits, EnrolmentType } from '@espalier/simulator';

/** A kind of device, and how the server sees it. */
export interface Kind {
  readonly name: string;
  readonly traits: DeviceTraits;
  /** What the way makes of it; else it is so from the start, as a device that came by ADE before. */
  readonly sharedIpad?: true;
  readonly platform: 'iOS' | 'macOS' | 'tvOS' | 'visionOS' | 'watchOS';
}

export const kinds = [
  { name: 'iPhone', traits: { kind: 'iPhone', model: 'iPhone15,2', osVersion: '18.3' }, platform: 'iOS' },
  { name: 'iPad', traits: { kind: 'iPad', model: 'iPad14,6', osVersion: '18.3' }, platform: 'iOS' },
  {
    name: 'Shared iPad',
    traits: { kind: 'iPad', model: 'iPad13,16', osVersion: '18.3' },
    platform: 'iOS',
    sharedIpad: true,
  },
  { name: 'Mac', traits: { kind: 'Mac', model: 'Mac14,2', osVersion: '15.3' }, platform: 'macOS' },
  { name: 'Apple TV', traits: { kind: 'AppleTV', model: 'AppleTV14,1', osVersion: '18.3' }, platform: 'tvOS' },
  { name: 'Apple Vision Pro', traits: { kind: 'VisionPro', osVersion: '2.3' }, platform: 'visionOS' },
  { name: 'Apple Watch', traits: { kind: 'Watch', osVersion: '11.3' }, platform: 'watchOS' },
] as const satisfies readonly Kind[];

export type KindName = (typeof kinds)[number]['name'];

/** A way to enrol. */
export interface Way {
  /** What `docs/conformance.md` calls it. */
  readonly title: string;
  /** Who may. */
  readonly kinds: readonly KindName[];
  /** What becomes of the others: the device refuses, or does what it does without this. */
  readonly others: 'refuses' | 'ignores it';
  /** What the server has of the device channel. */
  readonly enrolment: EnrolmentKind;
  readonly enrolledBy: EnrolmentType;
  /** The systems of the devices, where this way is gone from newer ones. */
  readonly systems?: { readonly [P in Kind['platform']]?: string };
  /** Apple page, or file of the schema. */
  readonly source: string;
}

const phones = ['iPhone', 'iPad'] as const;

export const ways = {
  link: {
    title: 'Profile, by link',
    kinds: [...phones, 'Mac', 'Apple TV', 'Apple Vision Pro'],
    others: 'refuses',
    enrolment: 'device',
    enrolledBy: 'profile',
    source: 'schema, mdm/profiles/com.apple.mdm.yaml: allowmanualinstall',
  },
  pin: {
    title: 'Profile, by registration PIN',
    kinds: [...phones, 'Mac', 'Apple TV', 'Apple Vision Pro'],
    others: 'refuses',
    enrolment: 'device',
    enrolledBy: 'profile',
    source: 'schema, mdm/profiles/com.apple.mdm.yaml: allowmanualinstall',
  },
  'profile-service': {
    title: 'Profile service (over the air)',
    kinds: [...phones, 'Mac'],
    others: 'refuses',
    enrolment: 'device',
    enrolledBy: 'profile-service',
    source: 'Apple, Over-the-Air Profile Delivery and Configuration',
  },
  ade: {
    title: 'Automated Device Enrolment',
    kinds: [...phones, 'Shared iPad', 'Mac', 'Apple TV', 'Apple Vision Pro'],
    others: 'refuses',
    enrolment: 'device',
    enrolledBy: 'ade',
    source: 'schema, other/machineinfo.yaml; mdm/commands/device.configured.yaml for visionOS 2',
  },
  'ade-update': {
    title: 'Automated Device Enrolment, software-update gate',
    kinds: [...phones, 'Shared iPad', 'Mac'],
    others: 'ignores it',
    enrolment: 'device',
    enrolledBy: 'ade',
    source: 'schema, other/machineinfo.yaml: MDM_CAN_REQUEST_SOFTWARE_UPDATE; mdm/errors/softwareupdate.required.yaml',
  },
  'ade-web': {
    title: 'Automated Device Enrolment, web sign-in',
    kinds: [...phones, 'Shared iPad', 'Mac'],
    others: 'ignores it',
    enrolment: 'device',
    enrolledBy: 'ade-web',
    source: 'Apple, Authenticating through web views: iOS 13, macOS 10.15',
  },
  'user-profile': {
    title: 'Profile-based User Enrolment, up to iOS 17 and macOS 14',
    kinds: [...phones, 'Mac'],
    others: 'refuses',
    enrolment: 'user-enrolment-device',
    enrolledBy: 'user-profile',
    systems: { iOS: '17.7', macOS: '14.7' },
    source: 'schema, mdm/profiles/com.apple.mdm.yaml: ManagedAppleID',
  },
  'user-web': {
    title: 'Account-driven User Enrolment, `apple-as-web`',
    kinds: [...phones, 'Mac', 'Apple Vision Pro'],
    others: 'refuses',
    enrolment: 'user-enrolment-device',
    enrolledBy: 'account-user',
    source: 'schema, mdm/profiles/com.apple.mdm.yaml: EnrollmentMode; Apple, the simple authentication flow',
  },
  'user-oauth': {
    title: 'Account-driven User Enrolment, `apple-oauth2`',
    kinds: [...phones, 'Mac', 'Apple Vision Pro'],
    others: 'refuses',
    enrolment: 'user-enrolment-device',
    enrolledBy: 'account-user',
    source: 'schema, mdm/profiles/com.apple.mdm.yaml: EnrollmentMode; Apple, the OAuth 2 flow',
  },
  'device-web': {
    title: 'Account-driven Device Enrolment, `apple-as-web`',
    kinds: [...phones, 'Mac', 'Apple Vision Pro'],
    others: 'refuses',
    enrolment: 'device',
    enrolledBy: 'account-device',
    source: 'Apple, Onboarding users with account-driven enrollment: iOS 17, macOS 14, visionOS 1.1',
  },
  'device-oauth': {
    title: 'Account-driven Device Enrolment, `apple-oauth2`',
    kinds: [...phones, 'Mac', 'Apple Vision Pro'],
    others: 'refuses',
    enrolment: 'device',
    enrolledBy: 'account-device',
    source: 'Apple, Onboarding users with account-driven enrollment: iOS 17, macOS 14, visionOS 1.1',
  },
  watch: {
    title: 'Apple Watch, paired with a managed iPhone',
    kinds: ['Apple Watch'],
    others: 'refuses',
    enrolment: 'device',
    enrolledBy: 'watch',
    source:
      'schema, declarative/declarations/configurations/watch.enrollment.yaml; mdm/errors/watch.pairing.token.missing.yaml',
  },
} as const satisfies { readonly [name: string]: Way };

export type WayName = keyof typeof ways;

/** One device that enrols in one way. */
export interface Pair {
  readonly name: string;
  readonly kind: Kind;
  readonly wayName: WayName;
  readonly way: Way;
  /** How the device gets its identity: two pairs, of one number. */
  readonly identity: 'scep' | 'acme';
  readonly number: number;
  /** Whether it enrols in this way, or without what is special about it, or not at all. */
  readonly outcome: 'enrols' | 'ignores it' | 'refuses';
}

const identities = ['scep', 'acme'] as const;

/** Every kind in every way, with an identity by SCEP and by ACME. */
export const pairs: readonly Pair[] = kinds.flatMap((kind: Kind & { readonly name: KindName }, kindNumber) =>
  (Object.entries(ways) as [WayName, Way][]).flatMap(([wayName, way], wayNumber) => {
    // What is special about ADE means nothing to who does not come by it.
    const base: Way = way.others === 'ignores it' ? ways.ade : way;
    const outcome = way.kinds.includes(kind.name) ? 'enrols' : base.kinds.includes(kind.name) ? way.others : 'refuses';
    const number = kindNumber * Object.keys(ways).length + wayNumber;
    return identities.map((identity) => ({
      name: `${kind.name}: ${wayName}${outcome === 'enrols' ? '' : ` (${outcome})`}, ${identity}`,
      kind,
      wayName,
      way,
      identity,
      number,
      outcome,
    }));
  }),
);
