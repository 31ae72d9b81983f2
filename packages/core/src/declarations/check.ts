// Checks a declaration before it is kept: nothing that a device would refuse goes out.
import { createHash } from 'node:crypto';
import {
  canonicalJson,
  checkPredicate,
  type DeclarationKind,
  declarationKind,
  type JsonInput,
  maxIdentifierBytes,
  nearest,
  schema,
  validate,
} from '@espalier/apple-mdm';
import type { DeclarationContent, DeclarationInput } from '../api/declarations.ts';
import { CoreError } from '../errors.ts';
import { RESERVED } from './snapshot.ts';

/** Largest payload, in bytes of JSON. */
const MAX_PAYLOAD = 1024 * 1024;
/** Largest content, in bytes. */
const MAX_CONTENT = 32 * 1024 * 1024;

/** A declaration that may be kept. */
export interface Checked {
  readonly kind: DeclarationKind;
  /** As JSON has it. */
  readonly payload: Readonly<Record<string, unknown>>;
  readonly content: DeclarationContent | null;
}

function invalid(path: string, problem: string, remedy?: string): CoreError {
  const details = remedy === undefined ? { at: { path } } : { at: { path }, remedy };
  return new CoreError('core.declaration.invalid', 'invalid', `${path} ${problem}`, details);
}

/** Checks the input. @throws CoreError `core.declaration.invalid`, `core.declaration.reserved`, `core.declaration.too_large` */
export function checkDeclaration(input: DeclarationInput): Checked {
  const { identifier, type } = input;
  const octets = Buffer.byteLength(identifier);
  if (octets === 0 || octets > maxIdentifierBytes || /\p{Cc}/u.test(identifier)) {
    throw invalid('/Identifier', `has 1 to ${maxIdentifierBytes} octets, without control characters`);
  }
  if (identifier.startsWith(RESERVED)) {
    const problem = `identifiers that begin with ${RESERVED} are the server's own`;
    throw new CoreError('core.declaration.reserved', 'invalid', problem, { at: { path: '/Identifier' } });
  }
  const kind = declarationKind(type);
  if (kind === null || type.length > 200) {
    const [close] = nearest(type, schema.names('declaration'), 1);
    throw invalid('/Type', 'is no type of declaration', close === undefined ? undefined : `Did you mean ${close}?`);
  }
  const { payload, content } = filled(input, kind);
  const text = canonicalJson(payload, '/Payload', 1);
  if (Buffer.byteLength(text) > MAX_PAYLOAD) {
    throw new CoreError(
      'core.declaration.too_large',
      'too-large',
      `a payload has at most ${MAX_PAYLOAD} bytes of JSON`,
    );
  }
  const plain = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const value = { Type: type, Identifier: identifier, Payload: plain };
  const issue = validate('declaration', value).find((one) => one.severity === 'error');
  if (issue !== undefined) throw invalid(issue.path, issue.message, issue.remedy);
  const predicate = kind === 'activation' ? plain['Predicate'] : undefined;
  if (typeof predicate === 'string') {
    const problem = checkPredicate(predicate).find((one) => one.severity === 'error');
    if (problem !== undefined) throw invalid('/Payload/Predicate', problem.message, problem.remedy);
  }
  return { kind, payload: plain, content };
}

/** The payload with what the content makes of it. */
function filled(
  { identifier, type, payload, content }: DeclarationInput,
  kind: DeclarationKind,
): { readonly payload: { readonly [key: string]: JsonInput }; readonly content: DeclarationContent | null } {
  // Whatever JSON has no place for is refused when it is written.
  const given = payload as { readonly [key: string]: JsonInput };
  if (content === undefined) return { payload: given, content: null };
  const { bytes, contentType, url } = content;
  if (bytes.length === 0 || bytes.length > MAX_CONTENT) {
    throw new CoreError('core.declaration.too_large', 'too-large', `content has 1 to ${MAX_CONTENT} bytes`);
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const known = { contentType, size: bytes.length, sha256 };
  const address = url({ identifier, sha256 });
  if (type.startsWith('com.apple.configuration.legacy')) {
    return { payload: { ...given, ProfileURL: address }, content: known };
  }
  if (kind === 'asset' && schema.declaration(type)?.keys.some((key) => key.key === 'Reference') !== false) {
    const Reference = { ContentType: contentType, DataURL: address, 'Hash-SHA-256': sha256, Size: bytes.length };
    return { payload: { ...given, Reference }, content: known };
  }
  throw invalid('/Type', 'has no content of its own', 'give content to legacy profiles and to assets only');
}
