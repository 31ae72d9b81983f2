// The shapes of automated device enrolment in the admin API.
import { z } from 'zod';
import { fileProblem } from './schemas.ts';

const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const count = z.number().int();
const maybeText = z.string().nullable();
const id = z.string().min(1).max(500);
const file = z
  .string()
  .min(1)
  .max(200_000)
  .transform((value, context): Uint8Array => {
    if (!/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(value)) {
      context.addIssue({ code: 'custom', message: 'The file is not base64.' });
      return z.NEVER;
    }
    return Uint8Array.from(Buffer.from(value, 'base64'));
  })
  .meta({ description: 'The server token as the portal gave it (`.p7m`), base64.' });
const serials = z.array(z.string().max(64)).max(10_000);
const texts = z.array(z.string().max(200)).max(1_000);

const rule = z
  .strictObject({
    profileId: id,
    serials: serials.exactOptional(),
    models: texts.exactOptional(),
    families: texts.exactOptional(),
    orders: texts.exactOptional(),
    labels: texts.exactOptional().meta({ description: 'Ids of labels, for devices that are enrolled.' }),
  })
  .meta({ id: 'AdeRule', description: 'The first rule whose conditions all fit gives its profile.' });

export const serialParam = z.strictObject({ serial: z.string().min(1).max(64) });
export const principal = z.strictObject({
  principal: z
    .string()
    .min(1)
    .max(200)
    .exactOptional()
    .meta({ description: 'The person, as the page knows them; not proved here.' }),
});
export const link = z.strictObject({ token: file, name: z.string().min(1).max(200).exactOptional() });
export const token = z.strictObject({ token: file });
export const wait = z.strictObject({ wait: z.enum(['true', 'false']).exactOptional() });
export const expectedVersion = z.strictObject({ expectedVersion: z.coerce.number().int().min(1).exactOptional() });
export const profileDeletion = z.strictObject({
  newDefault: id.exactOptional().meta({ description: 'The id of the new default; `none` for none.' }),
});
export const lock = z.strictObject({ message: z.string().min(1).max(500).exactOptional() });

export const accountChange = z.strictObject({
  name: z.string().min(1).max(200).exactOptional(),
  defaultProfile: id.nullable().exactOptional(),
  rules: z.array(rule).max(1_000).exactOptional(),
  expectedVersion: count.min(1).exactOptional(),
});

const progress = {
  ...{ pages: count, added: count, modified: count, deleted: count, unchanged: count, gone: count, unusable: count },
  ...{ assigned: count, removed: count, defined: count, refused: count },
};
export const syncResult = z
  .object({ outcome: z.enum(['done', 'busy', 'overtaken', 'stopped']), ...progress })
  .meta({ id: 'AdeSyncResult' });

export const account = z
  .object({
    id: z.string(),
    name: z.string(),
    details: z.record(z.string(), z.string()).readonly().meta({ description: 'What Apple says of the account.' }),
    state: z.enum(['active', 'invalid-token', 'terms-not-signed', 'inactive']),
    tokenExpiresAt: time,
    daysLeft: count,
    defaultProfile: maybeText,
    rules: z.array(z.record(z.string(), z.unknown()).readonly()).readonly(),
    devices: count,
    due: count.meta({ description: 'Assignments that are still to be done.' }),
    profiles: count,
    sync: z.object({
      pages: count,
      progressedAt: time.nullable(),
      finishedAt: time.nullable(),
      failure: maybeText.meta({ description: 'Why the last sync ended early: a code.' }),
      leasedUntil: time.meta({ description: 'Until when some process has the sync for itself.' }),
    }),
    progress: z.object(progress).nullable().meta({ description: 'Of the sync that runs in this process.' }),
    version: count,
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'AdeAccount' });

export const device = z
  .object({
    accountId: z.string(),
    serialNumber: z.string(),
    record: z.record(z.string(), z.unknown()).readonly().meta({ description: 'Apple’s properties, by Apple’s names.' }),
    profileUuid: maybeText,
    profileStatus: z.string(),
    profileId: maybeText,
    wantedProfileUuid: maybeText,
    assignAt: time.nullable(),
    assignAttempts: count,
    assignOutcome: maybeText,
    addedAt: time,
    updatedAt: time,
    goneAt: time.nullable(),
    enrolmentId: maybeText,
  })
  .meta({ id: 'AdeDevice' });

export const assignment = z.strictObject({ profile: id.nullable(), devices: serials.min(1) });
export const preAssignment = z.strictObject({
  profile: id.nullable(),
  csv: z.string().min(1).max(1_000_000),
  attributes: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(200),
        type: z.enum(['string', 'boolean', 'integer', 'number', 'date']),
      }),
    )
    .max(200),
  managedAppleIdAttribute: z.string().max(200).exactOptional(),
  cartAttribute: z.string().max(200).exactOptional(),
});
export const preAssignmentOutcome = z
  .union([
    z.object({ ok: z.literal(true), devices: count, warnings: z.array(fileProblem).readonly() }),
    z.object({ ok: z.literal(false), problems: z.array(fileProblem).readonly(), more: count }),
  ])
  .meta({ id: 'AdePreAssignment' });

export const issue = z
  .object({
    code: z.string(),
    severity: z.enum(['error', 'warning']),
    path: z.string(),
    message: z.string(),
    remedy: z.string().exactOptional(),
    apple: z.string().exactOptional(),
  })
  .meta({ id: 'AdeProfileIssue' });

const definition = z.looseObject({ apple: z.looseObject({}) }).meta({
  description:
    'An enrolment profile of @espalier/ade: `apple` with Apple’s keys (without `url` and `profile_name`), `authentication`, `loginText`, `awaitMinutes`, `sharedIpad`, `macAccounts`.',
});
export const profileInput = z.strictObject({
  name: z.string().min(1).max(125),
  description: z.string().max(2_000).exactOptional(),
  definition,
  macAdministratorPassword: z.string().min(1).max(200).exactOptional(),
});
const profileFields = {
  id: z.string(),
  accountId: z.string(),
  name: z.string(),
  description: z.string(),
  definition: z.record(z.string(), z.unknown()).readonly(),
  version: count,
  appleUuid: maybeText,
  appleVersion: count.meta({ description: 'Which version Apple has; 0 for none.' }),
  failure: maybeText.meta({ description: 'Why Apple did not take the present version: a code.' }),
  createdAt: time,
  updatedAt: time,
};
export const profile = z.object(profileFields).meta({ id: 'AdeProfile' });
export const profileWithUse = z
  .object({ ...profileFields, devices: count, setUp: count })
  .meta({ id: 'AdeProfileWithUse' });
export const writtenProfile = z.object({ profile, warnings: z.array(issue).readonly() });
