// The shapes of the admin API, as zod schemas: they validate what comes in and describe what goes out.
import { z } from 'zod';

const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const maybeTime = time.nullable();
const text = z.string();
const maybeText = z.string().nullable();
const base64 = z.custom<Uint8Array | string>().meta({ type: 'string', contentEncoding: 'base64' });

export const factValue = z
  .union([
    z.string(),
    z.number(),
    z.boolean(),
    z.null(),
    z.array(z.union([z.string(), z.number(), z.boolean()])).readonly(),
  ])
  .meta({ id: 'FactValue', description: 'One fact; dates are milliseconds since the Unix epoch.' });
const facts = z.record(z.string(), factValue).meta({ description: 'Facts by search token.' });

/** `after` and `limit` of every listing. */
export const pageQuery = z.strictObject({
  after: z.string().max(500).exactOptional().meta({ description: 'The `next` of the page before.' }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .exactOptional()
    .meta({ description: 'Rows, 1 to 1,000 (default 50).' }),
});

/** A page of rows. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item).readonly(), next: z.string().nullable() });
}

export const idParam = z.strictObject({ id: z.string().min(1).max(500) });
export const commandParams = z.strictObject({
  id: z.string().min(1).max(500),
  commandUuid: z.string().min(1).max(200),
});

export const enrolment = z
  .object({
    id: text,
    channel: z.enum(['device', 'user']),
    kind: z.enum(['device', 'user', 'user-enrolment-device', 'user-enrolment-user', 'shared-ipad-user']),
    parent: maybeText,
    status: z.enum(['pending', 'active', 'checked-out', 'retired', 'wiped']),
    phase: z.enum(['lost', 'wipe-pending', 'retire-pending']).nullable(),
    udid: maybeText,
    serialNumber: maybeText,
    model: maybeText,
    productName: maybeText,
    osVersion: maybeText,
    deviceName: maybeText,
    topic: maybeText,
    certificateFingerprint: maybeText,
    pushable: z.boolean(),
    enrolledAt: maybeTime,
    lastSeenAt: maybeTime,
    checkedOutAt: maybeTime,
    invitationId: maybeText,
  })
  .meta({ id: 'Enrolment' });

export const assignment = z
  .object({
    enrolmentId: text,
    configurationId: text,
    configurationName: text,
    profileIdentifier: text,
    status: z.enum([
      'pending',
      'sent',
      'applied',
      'partially-applied',
      'update-pending',
      'removal-pending',
      'not-applicable',
    ]),
    version: z.number().int(),
    commandUuid: maybeText,
    detail: maybeText,
    updatedAt: time,
  })
  .meta({ id: 'Assignment' });

export const deviceRow = z.object({ enrolment, facts }).meta({ id: 'DeviceRow' });

export const deviceDetail = z
  .object({
    enrolment,
    facts,
    apps: z
      .array(
        z.object({
          identifier: text,
          name: text,
          version: text,
          shortVersion: maybeText,
          bundleSize: z.number().nullable(),
          managed: z.boolean().nullable(),
        }),
      )
      .readonly(),
    profiles: z
      .array(
        z.object({ identifier: text, uuid: text, displayName: text, organisation: maybeText, managed: z.boolean() }),
      )
      .readonly(),
    certificates: z.array(z.object({ commonName: text, isIdentity: z.boolean(), fingerprint: text })).readonly(),
    labels: z.array(z.object({ id: text, name: text })).readonly(),
    assignments: z.array(assignment).readonly(),
    inventoryAt: maybeTime,
  })
  .meta({ id: 'DeviceDetail' });

const commandFields = {
  commandUuid: text,
  enrolmentId: text,
  requestType: text,
  state: z.enum([
    'queued',
    'sent',
    'not-now',
    'acknowledged',
    'error',
    'format-error',
    'expired',
    'cancelled',
    'superseded',
    'exhausted',
  ]),
  priority: z.number().int(),
  queuedAt: time,
  sentAt: maybeTime,
  finishedAt: maybeTime,
  attempts: z.number().int(),
  dedupeKey: maybeText,
  origin: text,
  errorChain: z.array(z.object({ code: z.number(), domain: text, description: text })).readonly(),
};
export const commandEntry = z.object(commandFields).meta({ id: 'CommandEntry' });
export const activityQuery = pageQuery.extend({
  from: z.coerce.number().int().exactOptional().meta({ description: 'Milliseconds since the Unix epoch.' }),
  to: z.coerce.number().int().exactOptional(),
  state: z
    .string()
    .max(200)
    .transform((states) => states.split(','))
    .pipe(z.array(commandFields.state).max(10))
    .exactOptional()
    .meta({ description: 'States, with commas between them.' }),
  action: z
    .string()
    .min(1)
    .max(100)
    .exactOptional()
    .meta({ description: 'The kind of command: `InstallApplication` …' }),
});
export const activityEntry = z
  .object({
    ...commandFields,
    at: time.meta({ description: 'When it ended, else when it was sent, else when it was queued.' }),
    failure: z.object({ reason: text, cause: text, remedy: maybeText }).nullable(),
  })
  .meta({ id: 'ActivityEntry' });
export const commandOutcome = z
  .object({
    ...commandFields,
    response: base64.nullable().meta({ description: 'The answer as the device sent it: a property list, base64.' }),
    answer: z
      .unknown()
      .meta({ description: 'The same, decoded: data as base64, dates as RFC 3339. `null` without one.' }),
  })
  .meta({ id: 'CommandOutcome' });

export const label = z
  .object({
    id: text,
    name: text,
    description: text,
    kind: z.enum(['manual', 'dynamic']),
    expression: maybeText,
    memberCount: z.number().int(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Label' });

const settings = z.record(z.string(), z.unknown());
const configurationFields = {
  id: text,
  name: text,
  type: text,
  description: text,
  settings: settings.readonly(),
  version: z.number().int(),
  labelIds: z.array(text).readonly(),
  createdAt: time,
  updatedAt: time,
};
export const configuration = z.object(configurationFields).meta({ id: 'Configuration' });
export const configurationRow = z
  .object({ ...configurationFields, applied: z.number().int(), waiting: z.number().int() })
  .meta({ id: 'ConfigurationRow' });

const invitationBinding = z
  .object({
    serialNumber: text.optional(),
    udid: text.optional(),
    account: z.object({ mode: z.enum(['BYOD', 'ADDE']), managedAppleAccount: text }).optional(),
    accessRights: z.number().int().optional(),
    checkOutWhenRemoved: z.boolean().optional(),
  })
  .meta({ description: 'For whom it is: certificates issued for it enrol this device and no other.' });

export const invitation = z
  .object({
    id: text,
    pin: text,
    token: text,
    status: z.enum(['valid', 'consumed', 'expired', 'revoked']),
    note: text,
    createdAt: time,
    expiresAt: time,
    enrolmentId: maybeText,
    binding: invitationBinding.nullable(),
    url: z.string().meta({ description: 'Where the device gets its enrolment profile.' }),
  })
  .meta({ id: 'Invitation' });

export const challenge = z.object({ challenge: text, expiresAt: time }).meta({ id: 'ScepChallenge' });

/** A SCEP request that waits. */
export const scepRequest = z
  .object({
    id: text,
    state: z.enum(['pending', 'approved', 'refused']),
    transactionId: text,
    publicKeyHash: text,
    subject: text,
    key: text,
    renews: text.nullable(),
    invitationId: text.nullable(),
    enrolmentId: text.nullable(),
    requestedAt: time,
    decidedAt: time.nullable(),
    expiresAt: time,
    reason: text.nullable(),
  })
  .meta({ id: 'ScepRequest' });

export const clientIdentifier = z
  .object({ clientIdentifier: text, expiresAt: time })
  .meta({ id: 'AcmeClientIdentifier' });
export const renewal = z.object({ queued: z.boolean() }).meta({ id: 'Renewal' });

export const certificateStatus = z.enum(['issued', 'in-force', 'expiring', 'superseded', 'revoked', 'expired']);

/** RFC 5280, 5.3.1. */
export const revocationReason = z.enum([
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
]);

export const certificate = z
  .object({
    fingerprint: text,
    serialNumber: text,
    subject: text,
    notBefore: time,
    notAfter: time,
    enrolmentId: maybeText,
    authorityKeyId: maybeText,
    status: certificateStatus,
    revokedAt: maybeTime,
    revocationReason: revocationReason.nullable(),
    renewalAt: maybeTime,
    deliveredAt: maybeTime,
    credentialId: maybeText,
    deviceId: maybeText,
    attestation: z.object({ at: time, properties: z.record(text, text), chain: z.array(text).readonly() }).nullable(),
    certificate: base64,
  })
  .meta({ id: 'Certificate' });

export const event = z
  .object({ seq: z.number().int(), type: text, at: time, enrolmentId: maybeText, data: facts })
  .meta({ id: 'Event' });

export const queued = z.object({ commandUuid: text }).meta({ id: 'QueuedCommand' });

// What comes in.

const name = z.string().trim().min(1).max(200);
const description = z.string().max(2000);
const expression = z.string().min(1).max(10_000);
const ids = z.array(z.string().min(1).max(500)).max(100_000);

export const newInvitation = z.strictObject({
  serialNumber: z.string().min(1).max(100).exactOptional().meta({ description: 'The device that it is for.' }),
  udid: z.string().min(1).max(100).exactOptional(),
  user: z.string().min(1).max(320).exactOptional().meta({ description: 'Whose the device will be (`user.user_id`).' }),
  note: z.string().max(500).exactOptional(),
  pinLength: z.number().int().min(6).max(12).exactOptional(),
  ttlHours: z
    .number()
    .positive()
    .max(24 * 365)
    .exactOptional(),
});
export const registrationFile = z.strictObject({
  csv: z.string().min(1).max(1_000_000).meta({
    description:
      'The serial number in the first column, the user in `User`, TRUE or FALSE in `Include DEP Only Registration Pin`.',
  }),
  userHeading: z.string().min(1).max(200).exactOptional(),
  otherHeadings: z
    .array(z.string().max(200))
    .max(200)
    .exactOptional()
    .meta({ description: 'Columns to be passed over.' }),
  pinTtlHours: z
    .number()
    .positive()
    .max(24 * 365)
    .exactOptional(),
});
/** What is wrong in a CSV file, and where. */
export const fileProblem = z.object({
  code: z.string(),
  row: z.number().int(),
  column: z.number().int(),
  heading: z.string().exactOptional(),
  message: z.string(),
});
export const registrationQuery = pageQuery.extend({
  awaited: z.enum(['true', 'false']).exactOptional(),
  user: z.string().max(320).exactOptional(),
});
export const registration = z
  .object({
    serialNumber: z.string(),
    user: z.string(),
    invitationId: z.string().nullable(),
    createdAt: z.number(),
    claimedAt: z.number().nullable(),
    enrolmentId: z.string().nullable(),
    pin: z.string().nullable().meta({ description: 'While it can be used.' }),
  })
  .meta({ id: 'Registration' });
export const newChallenge = z.strictObject({
  invitationId: z.string().max(200).exactOptional(),
  ttlMinutes: z
    .number()
    .positive()
    .max(60 * 24 * 30)
    .exactOptional(),
  subject: z.string().max(500).exactOptional(),
  enrolmentId: z
    .string()
    .max(500)
    .exactOptional()
    .meta({ description: 'For the renewal of this enrolment’s certificate.' }),
});
const requestState = z.enum(['pending', 'approved', 'refused']);
export const scepRequestQuery = pageQuery.extend({ state: requestState.exactOptional() });
export const scepApproval = z.strictObject({
  invitationId: z.string().max(200).exactOptional(),
  enrolmentId: z.string().max(500).exactOptional(),
  subject: z.string().max(500).exactOptional().meta({ description: 'In place of what the device asks for: CN=…,O=…' }),
  validityDays: z.number().int().positive().max(36_500).exactOptional(),
});
export const scepDenial = z.strictObject({ reason: z.string().max(500).exactOptional() });
export const newClientIdentifier = newChallenge.extend({
  device: z
    .strictObject({ serialNumber: z.string().max(100).exactOptional(), udid: z.string().max(100).exactOptional() })
    .exactOptional()
    .meta({ description: 'The attestation must name this device.' }),
});
export const revocation = z.strictObject({ reason: revocationReason.exactOptional() });
const timeQuery = z.coerce.number().int().exactOptional();
export const certificateQuery = pageQuery.extend({
  enrolmentId: z.string().max(500).exactOptional(),
  deviceId: z.string().max(500).exactOptional(),
  credentialId: z.string().max(500).exactOptional(),
  status: certificateStatus.exactOptional(),
  expiresBefore: timeQuery.meta({ description: 'Those that end before this time (milliseconds since the epoch).' }),
  expiresFrom: timeQuery.meta({ description: 'Those that end at this time or later.' }),
});
export const newLabel = z.strictObject({
  name,
  description: description.exactOptional(),
  expression: expression.exactOptional().meta({ description: 'A search expression makes the label dynamic.' }),
});
const flag = z.enum(['true', 'false']);
export const deviceSearch = z.strictObject({
  q: z.string().max(500).exactOptional().meta({ description: 'The one-box search: a name, sn:…, udid:… .' }),
  search: z.string().max(10_000).exactOptional().meta({ description: 'An advanced search expression.' }),
  label: z.string().max(200).exactOptional().meta({ description: 'Only devices that have this label (its id).' }),
  excludeRetired: flag.exactOptional().meta({ description: 'Default: true for a search, false for the list of all.' }),
  sensitive: flag.exactOptional().meta({ description: 'Whether the search may compare secrets. Default: false.' }),
});
export const savedSearch = z.strictObject({
  name,
  description: description.exactOptional(),
  expression: expression.exactOptional(),
  basic: z.string().max(500).exactOptional().meta({ description: 'The one-box search, instead of an expression.' }),
  overwrite: z.boolean().exactOptional().meta({ description: 'Give the search to the label of this name, if unused.' }),
});
export const labelPreviewQuery = z.strictObject({
  expression: z.string().max(10_000),
  labelId: z.string().min(1).max(200).exactOptional(),
  limit: z.number().int().min(1).max(1000).exactOptional(),
});
const previewSide = z.object({ count: z.number().int(), items: z.array(enrolment).readonly() });
export const labelPreview = z.object({
  joining: previewSide,
  leaving: previewSide,
  staying: z.number().int(),
  dependants: z.array(z.object({ id: text, name: text })).readonly(),
});
export const labelChange = z.strictObject({
  name: name.exactOptional(),
  description: description.exactOptional(),
  expression: expression.exactOptional(),
});
export const memberChange = z.strictObject({ add: ids.exactOptional(), remove: ids.exactOptional() });
export const newConfiguration = z.strictObject({
  name,
  type: z.string().min(1).max(100),
  description: description.exactOptional(),
  settings,
  labelIds: ids.exactOptional(),
});
export const configurationChange = z.strictObject({
  name: name.exactOptional(),
  description: description.exactOptional(),
  settings: settings.exactOptional(),
  labelIds: ids.exactOptional(),
});
export const lockOptions = z.strictObject({
  message: z.string().max(1000).exactOptional(),
  phoneNumber: z.string().max(50).exactOptional(),
  pin: z
    .string()
    .regex(/^\d{6}$/, 'A lock PIN has six digits.')
    .exactOptional(),
});
export const target = z.union([
  z.strictObject({ enrolmentIds: ids.min(1) }),
  z.strictObject({ labelId: z.string().min(1).max(200) }),
  z.strictObject({ search: expression }),
]);

export const newCommand = z.strictObject({
  target,
  requestType: z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,99}$/, 'A RequestType is a name such as DeviceLock.'),
  payload: z
    .record(z.string(), z.unknown())
    .exactOptional()
    .meta({ description: 'Keys as in Apple\'s schema. Data: `{"$data": "base64"}`. Dates: `{"$date": "RFC 3339"}`.' }),
  options: z
    .strictObject({
      priority: z.number().int().min(-1000).max(1000).exactOptional(),
      notBefore: time.exactOptional(),
      expiresAt: time.exactOptional(),
      dedupeKey: z.string().min(1).max(200).exactOptional(),
      onDuplicate: z.enum(['replace', 'keep']).exactOptional(),
      maxAttempts: z.number().int().min(1).max(1000).exactOptional(),
      push: z.boolean().exactOptional(),
      allowUnknown: z
        .boolean()
        .exactOptional()
        .meta({ description: "Queue what Apple's schema does not know: a request type or a key of a newer system." }),
      force: z
        .boolean()
        .exactOptional()
        .meta({ description: 'Queue it also for devices that would refuse it, by what is known of them.' }),
    })
    .exactOptional(),
});
const reasons = z
  .array(z.object({ code: z.string(), path: z.string(), message: z.string(), remedy: z.string() }))
  .readonly();
export const enqueued = z.object({
  commandUuid: z.string(),
  queued: z.number().int(),
  refused: z
    .object({ count: z.number().int(), devices: z.array(z.object({ enrolmentId: z.string(), reasons })).readonly() })
    .meta({ description: 'Devices for which it was not queued, since they would refuse it: the first thousand.' }),
});
export const capability = z.object({ requestType: z.string(), supported: z.boolean(), reasons });
