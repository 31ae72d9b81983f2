// Resources of the Apple Business and School Manager API. Attribute names are Apple's.
import type { JsonObject } from '../http/json.ts';
import { readerOf } from './fields.ts';

/** A device of the organisation. Times are ISO 8601. */
export interface OrgDevice {
  /** The serial number, for devices that have one. */
  readonly id: string;
  readonly serialNumber?: string;
  readonly addedToOrgDateTime?: string;
  /** Only where one device is asked for. */
  readonly releasedFromOrgDateTime?: string;
  /** Who released it. */
  readonly releaserId?: string;
  /** `USER`, `MDM`, `RESELLER`, `API`, `REPLACEMENT`. */
  readonly releaserEntityType?: string;
  readonly updatedDateTime?: string;
  readonly deviceModel?: string;
  /** `iPhone`, `iPad`, `Mac`, `AppleTV`, `Watch`, `Vision`. */
  readonly productFamily?: string;
  readonly productType?: string;
  readonly deviceCapacity?: string;
  readonly partNumber?: string;
  readonly orderNumber?: string;
  readonly color?: string;
  /** `ASSIGNED`, `UNASSIGNED`. */
  readonly status?: string;
  readonly orderDateTime?: string;
  readonly eid?: string;
  readonly imei?: readonly string[];
  readonly meid?: readonly string[];
  readonly wifiMacAddress?: string;
  readonly bluetoothMacAddress?: string;
  readonly purchaseSourceId?: string;
  /** `APPLE`, `RESELLER`, `MANUALLY_ADDED`. */
  readonly purchaseSourceType?: string;
  readonly ethernetMacAddress?: readonly string[];
  /** Whether it can move to another server without being erased. */
  readonly isMdmMigrationCapable?: boolean;
  /** `REQUESTED`, `STARTED`, `SUCCESS`, `FAILED`. */
  readonly mdmMigrationStatus?: string;
  readonly mdmMigrationDeadlineDateTime?: string;
}

const deviceTexts = [
  'serialNumber',
  'addedToOrgDateTime',
  'releasedFromOrgDateTime',
  'releaserId',
  'releaserEntityType',
  'updatedDateTime',
  'deviceModel',
  'productFamily',
  'productType',
  'deviceCapacity',
  'partNumber',
  'orderNumber',
  'color',
  'status',
  'orderDateTime',
  'eid',
  'wifiMacAddress',
  'bluetoothMacAddress',
  'purchaseSourceId',
  'purchaseSourceType',
  'mdmMigrationStatus',
  'mdmMigrationDeadlineDateTime',
] as const;

/** Reads a device; undefined without an id. */
export const readOrgDevice = readerOf<OrgDevice>({
  texts: deviceTexts,
  booleans: ['isMdmMigrationCapable'],
  lists: ['imei', 'meid', 'ethernetMacAddress'],
});

/** A device management service: a server in the portal. */
export interface MdmServer {
  readonly id: string;
  readonly serverName?: string;
  /** `MDM`, `APPLE_CONFIGURATOR`, `APPLE_MDM`. */
  readonly serverType?: string;
  readonly createdDateTime?: string;
  readonly updatedDateTime?: string;
  /** How it does, in Apple's word: `ACTIVE` … */
  readonly status?: string;
  readonly lastConnectedDateTime?: string;
  readonly lastConnectedIp?: string;
  readonly deviceCount?: number;
  /** Whether it may release devices from the organisation. */
  readonly enableMdmDisownFlag?: boolean;
  /** Of which devices it is the default: `IPHONE`, `IPAD`, `MAC`, `APPLE_TV`, `VISION`, `WATCH`, `IPOD`. */
  readonly defaultProductFamilies?: readonly string[];
}

/** What a server is to be. Source: Apple Business API, "Create a Device Management Service". */
export interface MdmServerChange {
  readonly serverName?: string;
  /** The certificate that its tokens are encrypted to, DER: `createTokenKeyPair` makes one. */
  readonly certificate?: Uint8Array;
  readonly enableMdmDisownFlag?: boolean;
  readonly defaultProductFamilies?: readonly string[];
}

const serverDates = ['createdDateTime', 'updatedDateTime', 'lastConnectedDateTime'] as const;

/** Reads a server; undefined without an id. */
export const readMdmServer = readerOf<MdmServer>({
  texts: ['serverName', 'serverType', 'status', 'lastConnectedIp', ...serverDates],
  numbers: ['deviceCount'],
  booleans: ['enableMdmDisownFlag'],
  lists: ['defaultProductFamilies'],
});

/** A change as the API takes it. */
export function mdmServerAttributes({ certificate, ...plain }: MdmServerChange): object {
  if (certificate === undefined) return plain;
  const data = Buffer.from(certificate).toString('base64');
  return { ...plain, serverCertificate: { name: 'device-enrolment.cer', data } };
}

/** Something that is being done with devices. */
export interface DeviceActivity {
  readonly id: string;
  /** `IN_PROGRESS`, `COMPLETED`, `STOPPED`, `FAILED`. */
  readonly status?: string;
  /** `SUBMITTED`, `COMPLETED_WITH_SUCCESS`, `COMPLETED_WITH_ERROR` (for some devices: see `downloadUrl`) … */
  readonly subStatus?: string;
  readonly createdDateTime?: string;
  readonly completedDateTime?: string;
  /** A log (CSV) with the outcome for each device; good for a short while. */
  readonly downloadUrl?: string;
}

/** Reads an activity; undefined without an id. */
export const readActivity = readerOf<DeviceActivity>({
  texts: ['status', 'subStatus', 'createdDateTime', 'completedDateTime', 'downloadUrl'],
});

/** An AppleCare agreement of a device. */
export interface AppleCareCoverage {
  readonly id: string;
  /** `ACTIVE`, `INACTIVE`. */
  readonly status?: string;
  readonly paymentType?: string;
  readonly description?: string;
  readonly agreementNumber?: string;
  readonly startDateTime?: string;
  readonly endDateTime?: string;
  readonly isRenewable?: boolean;
  readonly isCanceled?: boolean;
  readonly contractCancelDateTime?: string;
}

const coverageDates = ['startDateTime', 'endDateTime', 'contractCancelDateTime'] as const;

/** Reads an agreement; undefined without an id. */
export const readCoverage = readerOf<AppleCareCoverage>({
  texts: ['status', 'paymentType', 'description', 'agreementNumber', ...coverageDates],
  booleans: ['isRenewable', 'isCanceled'],
});

/** Something that happened in the organisation. */
export interface AuditEvent {
  readonly id: string;
  readonly eventDateTime?: string;
  /** `DEVICE_ADDED_TO_ORG`, `DEVICE_ASSIGNED_TO_SERVER` … */
  readonly type?: string;
  readonly category?: string;
  readonly actorType?: string;
  readonly actorId?: string;
  readonly actorName?: string;
  readonly subjectType?: string;
  readonly subjectId?: string;
  readonly subjectName?: string;
  readonly outcome?: string;
  readonly groupId?: string;
  /** What the event's type adds, as Apple has it. */
  readonly data?: Readonly<Record<string, unknown>>;
}

const actor = ['actorType', 'actorId', 'actorName'] as const;
const subject = ['subjectType', 'subjectId', 'subjectName'] as const;
const plainEvent = readerOf<AuditEvent>({
  texts: ['eventDateTime', 'type', 'category', 'outcome', 'groupId', ...actor, ...subject],
});

/** Reads an event; undefined without an id. */
export function readAuditEvent(object: JsonObject): AuditEvent | undefined {
  const event = plainEvent(object);
  const attributes = object.object('attributes');
  const key = attributes?.text('eventDataPropertyKey');
  const data = key === undefined ? undefined : attributes?.object(key);
  return event && data ? { ...event, data: Object.fromEntries(data.entries()) } : event;
}
