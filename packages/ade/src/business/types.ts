// Resources of the Apple Business and School Manager API. Attribute names are Apple's.
import type { JsonObject } from '../http/json.ts';

/** A device of the organisation. Times are ISO 8601. */
export interface OrgDevice {
  /** The serial number, for devices that have one. */
  readonly id: string;
  readonly serialNumber?: string;
  readonly addedToOrgDateTime?: string;
  readonly releasedFromOrgDateTime?: string;
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
  readonly mdmMigrationStatus?: string;
  readonly mdmMigrationDeadlineDateTime?: string;
}

const deviceTexts = [
  'serialNumber',
  'addedToOrgDateTime',
  'releasedFromOrgDateTime',
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
export function readOrgDevice(object: JsonObject): OrgDevice | undefined {
  const id = object.text('id');
  if (id === undefined) return undefined;
  const device: { -readonly [K in keyof OrgDevice]: OrgDevice[K] } = { id };
  const attributes = object.object('attributes');
  for (const key of deviceTexts) {
    const value = attributes?.text(key);
    if (value !== undefined) device[key] = value;
  }
  for (const key of ['imei', 'meid'] as const) {
    const value = attributes?.texts(key);
    if (value !== undefined) device[key] = value;
  }
  return device;
}

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

/** Reads a server; undefined without an id. */
export function readMdmServer(object: JsonObject): MdmServer | undefined {
  const names = ['serverName', 'serverType', 'createdDateTime', 'updatedDateTime', 'status'] as const;
  const server: MdmServer | undefined = resource(object, [...names, 'lastConnectedDateTime', 'lastConnectedIp']);
  const attributes = object.object('attributes');
  const deviceCount = attributes?.number('deviceCount');
  const enableMdmDisownFlag = attributes?.boolean('enableMdmDisownFlag');
  const defaultProductFamilies = attributes?.texts('defaultProductFamilies');
  return (
    server && {
      ...server,
      ...(deviceCount !== undefined && { deviceCount }),
      ...(enableMdmDisownFlag !== undefined && { enableMdmDisownFlag }),
      ...(defaultProductFamilies !== undefined && { defaultProductFamilies }),
    }
  );
}

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
  /** `SUBMITTED`, `COMPLETED_WITH_SUCCESS`, `COMPLETED_WITH_ERRORS` … */
  readonly subStatus?: string;
  readonly createdDateTime?: string;
  readonly completedDateTime?: string;
  /** A log (CSV) with the outcome for each device; good for a short while. */
  readonly downloadUrl?: string;
}

/** Reads an activity; undefined without an id. */
export function readActivity(object: JsonObject): DeviceActivity | undefined {
  return resource(object, ['status', 'subStatus', 'createdDateTime', 'completedDateTime', 'downloadUrl']);
}

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
  readonly contractCancelDateTime?: string;
}

/** Reads an agreement; undefined without an id. */
export function readCoverage(object: JsonObject): AppleCareCoverage | undefined {
  const names = ['status', 'paymentType', 'description', 'agreementNumber', 'startDateTime', 'endDateTime'] as const;
  return resource(object, [...names, 'contractCancelDateTime']);
}

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

/** Reads an event; undefined without an id. */
export function readAuditEvent(object: JsonObject): AuditEvent | undefined {
  const names = ['eventDateTime', 'type', 'category', 'actorType', 'actorId', 'actorName', 'subjectType'] as const;
  const event: AuditEvent | undefined = resource(object, [...names, 'subjectId', 'subjectName', 'outcome', 'groupId']);
  if (event === undefined) return undefined;
  const attributes = object.object('attributes');
  const key = attributes?.text('eventDataPropertyKey');
  const data = key === undefined ? undefined : attributes?.object(key);
  return data === undefined ? event : { ...event, data: Object.fromEntries(data.entries()) };
}

function resource<K extends string>(
  object: JsonObject,
  keys: readonly K[],
): ({ readonly id: string } & { readonly [P in K]?: string }) | undefined {
  const id = object.text('id');
  if (id === undefined) return undefined;
  const attributes = object.object('attributes');
  const entries = keys.flatMap((key) => {
    const value = attributes?.text(key);
    return value === undefined ? [] : [[key, value] as const];
  });
  return { ...(Object.fromEntries(entries) as { readonly [P in K]?: string }), id };
}
