// The shapes of credentials in the admin API and for users.
import { z } from 'zod';
import { pageQuery } from './schemas.ts';

const time = z.number().int().meta({ description: 'Milliseconds since the Unix epoch.' });
const text = z.string();
const base64 = z.custom<Uint8Array | string>().meta({ type: 'string', contentEncoding: 'base64' });
const options = z.record(z.string(), z.unknown());

const source = z.enum(['user-provided', 'single-file', 'issued']);
const scope = z.enum(['user', 'device', 'shared']);
const generation = z.enum(['early', 'on-demand']);
export const credentialStatus = z.enum(['active', 'expiring', 'expired', 'superseded', 'revoked', 'discarded']);

export const credentialSetting = z
  .object({
    id: text,
    name: text,
    description: text,
    displayName: text,
    source,
    scope,
    requirePassword: z.boolean(),
    deleteKeysAfterDays: z.number().int().nullable(),
    generation,
    expiryWindowDays: z.number().int(),
    revokeOnCheckOut: z.boolean(),
    options: options.readonly(),
    version: z.number().int(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'CredentialSetting' });

const changeable = {
  description: text.max(2_000).exactOptional(),
  displayName: text.min(1).max(255).exactOptional().meta({ description: 'What users see; default: the name.' }),
  requirePassword: z
    .boolean()
    .exactOptional()
    .meta({ description: 'User-provided: a file has to come with its password (default true).' }),
  deleteKeysAfterDays: z
    .number()
    .int()
    .min(1)
    .max(3_650)
    .nullable()
    .exactOptional()
    .meta({ description: 'Delete private keys so many days after they were stored; null keeps them.' }),
  generation: generation.exactOptional().meta({ description: 'Issued: when assigned, or when delivered (default).' }),
  expiryWindowDays: z
    .number()
    .int()
    .min(1)
    .max(270)
    .exactOptional()
    .meta({ description: 'Days before the end at which an identity counts as expiring, and is issued anew (60).' }),
  revokeOnCheckOut: z.boolean().exactOptional(),
  options: options.exactOptional().meta({ description: 'Issued: what the issuer is told.' }),
};
export const newCredentialSetting = z.strictObject({
  name: text.min(1).max(255),
  source,
  scope: scope.exactOptional().meta({
    description: 'Issued: a user’s, the same on all devices, or a device’s (default); else it follows from the source.',
  }),
  ...changeable,
});
export const credentialSettingChange = z.strictObject({ name: text.min(1).max(255).exactOptional(), ...changeable });

export const credential = z
  .object({
    id: text,
    settingId: text,
    holder: text.meta({ description: '`user:` and the user’s id, or `device:` and the enrolment’s.' }),
    status: credentialStatus,
    revision: z.number().int(),
    origin: z.enum(['user', 'admin', 'issued']),
    fingerprint: text,
    serialNumber: text,
    subject: text,
    issuer: text,
    notBefore: time,
    notAfter: time,
    publicKeyHash: text,
    certificate: base64,
    createdAt: time,
    deliveredAt: time.nullable(),
    keyDeletedAt: time.nullable(),
    keyDeletedBy: z.enum(['user', 'admin', 'age', 'replaced', 'undelivered', 'revoked']).nullable(),
  })
  .meta({ id: 'Credential', description: 'An identity, without its private key, which no address gives.' });

export const credentialQuery = pageQuery.extend({
  settingId: text.max(100).exactOptional(),
  userId: text.min(1).max(255).exactOptional(),
  enrolmentId: text.min(1).max(500).exactOptional(),
  status: credentialStatus.exactOptional(),
  expiresBefore: z.coerce.number().int().exactOptional(),
  expiresFrom: z.coerce.number().int().exactOptional(),
});

export const upload = z.strictObject({
  file: z
    .base64()
    .min(1)
    .max(400_000)
    .meta({ description: 'PKCS#12 with exactly one private key, base64; at most 256 KiB.' }),
  password: text.max(1_000).exactOptional().meta({ description: 'Of the file; it is not kept.' }),
});

export const uploadFiles = z.strictObject({
  files: z
    .array(upload.extend({ file: upload.shape.file.meta({ description: 'PKCS#12, PEM or DER, base64.' }) }))
    .min(1)
    .max(16)
    .meta({ description: 'One private key with its certificate and its issuers; 256 KiB together at most.' }),
});

/** What a user may upload, and has. */
export const userCredential = z
  .object({
    settingId: text,
    displayName: text,
    requirePassword: z.boolean(),
    deleteKeysAfterDays: z.number().int().nullable(),
    credential: credential.nullable(),
    state: z.enum(['missing', 'stored', 'key-deleted']),
  })
  .meta({ id: 'UserCredential' });

export const userParam = z.strictObject({ userId: text.min(1).max(255) });
export const settingUserParams = z.strictObject({ id: text.min(1).max(100), userId: text.min(1).max(255) });
export const settingParam = z.strictObject({ settingId: text.min(1).max(100) });
