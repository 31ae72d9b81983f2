// What all builders of credential payloads share: the check against Apple's schema, and errors.
import { type ProfilePayload, payload, validate } from '@espalier/apple-mdm';
import { isPkiError } from '@espalier/pki';
import { PolicyError } from '../errors.ts';

type Payload = typeof payload;

/** A payload, checked against Apple's schema: what a device would refuse or misread is not built. */
export const checkedPayload: Payload = (type, content, common) => {
  const built = payload(type, content, common);
  const [issue] = validate('payload', withType(built));
  if (issue)
    throw new PolicyError('policy.credential.invalid', `${issue.path} ${issue.message}`, issue.path, issue.remedy);
  return built;
};

/** A payload's dictionary with the common keys that validation looks for. */
function withType({ type, content }: ProfilePayload): Record<string, unknown> {
  const identifier = 'com.example.payload';
  const uuid = '00000000-0000-8000-8000-000000000000';
  const own = Object.fromEntries(Object.entries(content).filter(([, value]) => value !== undefined));
  return { ...own, PayloadType: type, PayloadIdentifier: identifier, PayloadUUID: uuid, PayloadVersion: 1 };
}

/** An error about one option. */
export const invalid = (path: string, message: string, remedy: string, cause?: unknown): PolicyError =>
  new PolicyError('policy.credential.invalid', message, path, remedy, cause);

/** Runs a reader of certificates; what it refuses is an error about that option. */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw asPolicyError(path, error);
  }
}

/** What `@espalier/pki` refused, as an error about one option; anything else as it is. */
export function asPolicyError(path: string, error: unknown): unknown {
  if (!isPkiError(error)) return error;
  const remedy = error.remedy ?? 'Check the file, and its password if it has one.';
  return invalid(path, `${path}: ${error.message} (${error.code})`, remedy, error);
}

/** The members of a record that have a value. */
export function defined<T extends Record<string, unknown>>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
