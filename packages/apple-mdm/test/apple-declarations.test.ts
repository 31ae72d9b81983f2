// Apple's example declarations, credentials, predicates and status: read, built the same, validated.
import { decodeDict } from '@espalier/plist';
import { describe, expect, it } from 'vitest';
import {
  checkPredicate,
  checkReferences,
  type Declarations,
  declaration,
  declarationPayload,
  declarationReferences,
  evaluatePredicate,
  parsePredicate,
  printPredicate,
  readDeclaration,
  readStatusReport,
  readTokensResponse,
  statusLookup,
  statusValue,
  tokensResponse,
  validate,
} from '../src/index.ts';
import { deviceCommands } from './fixtures/apple/commands-device.ts';
import { acmeCredential, declarationExamples, predicates, statusOfThreeItems } from './fixtures/apple/declarations.ts';
import type { DeclarationExample } from './fixtures/apple/declarations-form.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The text as the pages have it: indented by four, the keys in this order. */
function page({ type, identifier, serverToken, payload }: DeclarationExample): Uint8Array {
  const value = { Type: type, Identifier: identifier, ServerToken: serverToken, Payload: payload };
  return encode(JSON.stringify(value, null, 4));
}

describe('the declarations on Apple’s pages', () => {
  it.each(declarationExamples.map((example) => [`${example.page} ${example.type}`, example] as const))(
    '%s',
    (_, example) => {
      const { type, identifier, serverToken, payload } = example;
      const read = readDeclaration(page(example));
      expect(read).toMatchObject({ type, identifier, serverToken, payload });
      const found = validate('declaration', read.value).map(({ path, code }) => `${path} ${code}`);
      expect(found).toEqual(example.findings ?? []);
      // No byte strings, no dates: typed and raw are the same.
      expect(declarationPayload(type, read)).toEqual(payload);
      const built = declaration(type, identifier, payload as Declarations[typeof type], { serverToken });
      expect(JSON.parse(new TextDecoder().decode(built.bytes))).toEqual(read.value);
    },
  );

  it('are of most types', () => {
    expect(new Set(declarationExamples.map(({ type }) => type)).size).toBe(48);
  });

  it('name what they refer to', () => {
    const of = (type: string): string[] => {
      const { payload } = declarationExamples.find((example) => example.type === type)!;
      return declarationReferences(type, payload as never).map((reference) => reference.identifier);
    };
    expect(of('com.apple.activation.simple')).toEqual(['5D9502B9-9676-42D1-B094-A919DAFFB504']);
    expect(of('com.apple.configuration.account.mail')).toContain('CB3E6C7F-2318-437B-8A9E-D50C69376DE4');
    expect(of('com.apple.configuration.services.background-tasks')).toEqual(
      expect.arrayContaining(['5840A1CB-A769-4C08-8968-13E8BA705B3E', 'F6A59159-FFA5-4DA9-B2E8-316AC4C99C78']),
    );
    expect(of('com.apple.configuration.watch.enrollment')).toEqual(['91D3512C-5E44-4C6F-97A5-59A8F731641D']);
    // Nothing that they name is there: the examples are of different servers.
    const [caldav] = declarationExamples;
    expect(checkReferences([readDeclaration(page(caldav!))])).toMatchObject([
      { code: 'missing', path: '/Payload/AuthenticationCredentialsAssetReference' },
      { code: 'not-referenced' },
    ]);
  });
});

it('the credential that an ACME asset refers to', () => {
  expect(validate('credential', acmeCredential, null, { name: 'com.apple.credential.acme' })).toEqual([]);
});

describe('predicates in Apple’s articles', () => {
  it.each(Object.entries(predicates))('%s', (_, text) => {
    const parsed = parsePredicate(text);
    expect(checkPredicate(text)).toEqual([]);
    expect(parsePredicate(printPredicate(parsed))).toEqual(parsed);
  });

  it('hold for the devices that the articles speak of', () => {
    const holds = (text: string, status: Record<string, unknown>): boolean =>
      evaluatePredicate(parsePredicate(text), {
        status: statusLookup(new Map(Object.entries(status))),
        property: () => undefined,
      });
    const [family, managed] = Object.values(predicates);
    expect(holds(family!, { 'device.model.family': 'iPad' })).toBe(true);
    expect(holds(family!, { 'device.model.family': 'iPhone' })).toBe(false);
    const app = (state: string) => ({ 'app.managed.list': [{ identifier: 'com.example.app', state }] });
    expect(holds(managed!, app('managed'))).toBe(true);
    expect(holds(managed!, app('installing'))).toBe(false);
    const appleTv = declarationExamples.find(({ payload }) => 'Predicate' in payload)!.payload as { Predicate: string };
    expect(holds(appleTv.Predicate, { 'device.model.family': 'AppleTV' })).toBe(true);
    expect(holds(appleTv.Predicate, { 'device.model.family': 'Mac' })).toBe(false);
  });
});

it('the status of three items, as the article has it', () => {
  const report = readStatusReport(encode(JSON.stringify({ StatusItems: statusOfThreeItems, Errors: [] })));
  expect(statusValue('device.identifier.serial-number', report)).toBe('abc123');
  expect(statusValue('device.identifier.udid', report)).toBe('d4bffb90be0845c6a8b8184a7e06d487');
  expect([...report.items.keys()]).toEqual([
    'device.identifier.serial-number',
    'device.identifier.udid',
    'management.push-token',
  ]);
});

it('the synchronisation tokens inside the example of the DeclarativeManagement command', () => {
  const { request } = deviceCommands.find(({ requestType }) => requestType === 'DeclarativeManagement')!;
  const outer = decodeDict(request)['Command'] as { Command: { Data: Uint8Array } };
  const tokens = readTokensResponse(outer.Command.Data);
  expect(tokens).toEqual({
    declarationsToken: 'b6544027a315cd0085d4cf08174624c2d14244480430a87b176a2727e7366138',
    timestamp: Date.UTC(2021, 5, 2, 1, 28),
  });
  expect(readTokensResponse(tokensResponse(tokens))).toEqual(tokens);
});
