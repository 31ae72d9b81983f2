// `npm run conformance`: writes docs/conformance.md: each check-in, enrolment type, command, declaration and status item
// with what was measured of it. Nothing in the tables is written by hand but the reasons, and the names of tests.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  canonicalJson,
  checkCommand,
  type JsonInput,
  type RawPayload,
  rawCommand,
  rawDeclaration,
  readCheckin,
  readCommand,
  readDeclaration,
  readResponse,
  readStatusReport,
  responseValue,
  type SchemaItem,
  schema,
  validate,
} from '@espalier/apple-mdm';
import { encodeXml, type PlistInput } from '@espalier/plist';
import { declarationTypes, knownCommands, knownStatusItems } from '@espalier/simulator';
import { measureEnrolments } from './conformance/enrolments.ts';
import { exampleOf, identifierOf, replyOf, statusValueOf } from './conformance/example.ts';
import { type Measured, scripted, startMeasured } from './conformance/server.ts';

const root = join(import.meta.dirname, '..');

/** Where the page is. */
export const conformancePage = join(root, 'docs/conformance.md');

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const columns = ['encoded', 'decoded', 'validated', 'simulated', 'end-to-end'];
const head = (what: string): string[] => [row(what, ...columns), row(what, ...columns).replaceAll(/[^|]+/g, ' --- ')];

/** `yes`, or why not. */
function tried(attempt: () => boolean, reason: string): string {
  try {
    return attempt() ? 'yes' : `no: ${reason}`;
  } catch (error) {
    return `no: ${error instanceof Error ? error.message.replaceAll('|', '/') : reason}`;
  }
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const envelope = { UDID: 'U', CommandUUID: 'c', Status: 'Acknowledged' };
const codes = (list: readonly { readonly code: string }[]): string => list.map(({ code }) => code).join(', ');

async function commandRow(item: SchemaItem, server: Measured): Promise<string> {
  const payload = exampleOf(item) as RawPayload;
  const wrong = checkCommand(item.id, payload);
  const encoded = tried(() => {
    const { payload: back } = readCommand(rawCommand(item.id, payload, { commandUuid: 'c' }).bytes);
    return same(encodeXml(back), encodeXml({ RequestType: item.id, ...payload } as PlistInput));
  }, 'it reads back as something else');
  const decoded = tried(() => {
    responseValue(item.id as 'DeviceLock', readResponse(encodeXml({ ...envelope, ...replyOf(item) })));
    return true;
  }, '');
  const validated = tried(
    () => wrong.length === 0 && checkCommand(item.id, { ...payload, NoSuchKey: true }).length > 0,
    codes(wrong),
  );
  const simulated = knownCommands.includes(item.id)
    ? 'yes'
    : 'no: the simulated device answers that it does not know it';
  const outcome = await server.command(item.id, payload);
  return row(`\`${item.id}\``, encoded, decoded, validated, simulated, outcome);
}

/** The check-ins in an order in which a device may send them, each with what a Mac says. */
const order = [
  'Authenticate',
  'TokenUpdate',
  'UserAuthenticate',
  'SetBootstrapToken',
  'GetBootstrapToken',
  'GetToken',
  'DeclarativeManagement',
  'ReturnToService',
  'CheckOut',
];
const devicesOnly = ['EnrollmentID', 'EnrollmentUserID', 'UserID', 'UserShortName', 'UserLongName', 'NotOnConsole'];

function checkinMessage(item: SchemaItem): { readonly [key: string]: PlistInput } {
  const message = exampleOf(item);
  for (const key of devicesOnly) if (item.id !== 'UserAuthenticate' || key !== 'UserID') delete message[key];
  return {
    ...message,
    MessageType: item.id,
    UDID: scripted,
    ...(item.id === 'DeclarativeManagement' ? { Endpoint: 'tokens' } : {}),
    ...(item.id === 'UserAuthenticate' ? { DigestResponse: '' } : {}),
  } as { readonly [key: string]: PlistInput };
}

/** What the server answers where Apple's schema has no property list for it. */
const answers: Readonly<Record<string, string>> = {
  DeclarativeManagement: 'the answer is JSON: the declarations below',
  UserAuthenticate: 'the answer is a digest challenge, which the schema leaves out',
};

async function checkinRow(item: SchemaItem, server: Measured, sent: ReadonlySet<string>): Promise<string> {
  const message = checkinMessage(item);
  const decoded = tried(() => readCheckin(encodeXml(message)).messageType === item.id, 'read as something else');
  const validated = tried(
    () => {
      const broken = { ...message, MessageType: 1 };
      return (
        validate('checkin', message).every(({ severity }) => severity !== 'error') &&
        validate('checkin', broken).length > 0
      );
    },
    codes(validate('checkin', message)),
  );
  const encoded =
    (item.replies ?? []).length === 0
      ? `no: ${answers[item.id] ?? 'the answer is empty'}`
      : tried(
          () => validate('checkin-reply', replyOf(item), null, { name: item.id }).length === 0,
          'its answer is not valid',
        );
  const simulated = sent.has(item.id) ? 'yes' : 'no: no simulated device has sent it';
  const status = await server.checkin(message);
  return row(`\`${item.id}\``, encoded, decoded, validated, simulated, status === 200 ? 'yes' : `no: HTTP ${status}`);
}

/** A declaration of each type. */
function declarationsOf(items: readonly SchemaItem[]) {
  return items.map((item) => ({
    item,
    identifier: identifierOf(item.id),
    type: item.id,
    payload: exampleOf(item, 'json') as Record<string, unknown>,
  }));
}

/** The systems that have a thing. */
function systemsOf({ supportedOS = {} }: SchemaItem): string {
  return Object.entries(supportedOS)
    .flatMap(([name, { introduced = 'n/a' }]) => (introduced === 'n/a' ? [] : [`${name} ${introduced}`]))
    .join(', ');
}

function declarationRow(
  { item, identifier, payload }: ReturnType<typeof declarationsOf>[number],
  outcome: ReadonlyMap<string, string>,
): string {
  const make = () =>
    rawDeclaration(item.id, identifier, payload as Parameters<typeof rawDeclaration>[2], { serverToken: '1' });
  const encoded = tried(() => make().bytes.length > 0, '');
  const decoded = tried(
    () => canonicalJson(readDeclaration(make().bytes).payload as JsonInput) === canonicalJson(payload as JsonInput),
    'read as something else',
  );
  const problems = validate('declaration', {
    Type: item.id,
    Identifier: identifier,
    ServerToken: '1',
    Payload: payload,
  });
  const validated = tried(() => problems.every(({ severity }) => severity !== 'error'), codes(problems));
  const simulated = declarationTypes().has(item.id) ? 'yes' : 'no: the simulated device does not know the type';
  return row(
    `\`${item.id}\``,
    encoded,
    decoded,
    validated,
    simulated,
    outcome.get(identifier) ?? `no: needs ${systemsOf(item)}`,
  );
}

async function statusRow(item: SchemaItem, server: Measured): Promise<string> {
  const value = statusValueOf(item);
  const problems = validate('status', value, null, { name: item.id });
  const validated = tried(() => problems.every(({ severity }) => severity !== 'error'), codes(problems));
  const decoded = tried(() => {
    const nested = item.id.split('.').reduceRight<unknown>((inner, part) => ({ [part]: inner }), value);
    const bytes = new TextEncoder().encode(JSON.stringify({ StatusItems: nested, Errors: [] }));
    return same(readStatusReport(bytes).items.get(item.id), value);
  }, 'read as something else');
  const simulated = Object.hasOwn(knownStatusItems, item.id) ? 'yes' : 'no: the simulated device does not report it';
  const through = (await server.status(item.id, value)) ? 'yes' : 'no: the engine does not have it afterwards';
  return row(`\`${item.id}\``, 'no: only devices write it', decoded, validated, simulated, through);
}

/** What is no declaration, and what is no item of its own. */
const notReal = new Set(['any', 'status-reason']);

const real = (kind: 'declaration' | 'status'): SchemaItem[] => schema.all(kind).filter(({ id }) => !notReal.has(id));

/** The whole page, measured anew. */
export async function conformanceText(): Promise<string> {
  const server = await startMeasured();
  const enrolments = await measureEnrolments();
  const checkins: string[] = [];
  const statusItems: string[] = [];
  for (const name of order) {
    // While the scripted Mac is enrolled.
    if (name === 'CheckOut') {
      for (const item of real('status')) statusItems.push(await statusRow(item, server));
    }
    checkins.push(await checkinRow(schema.checkin(name)!, server, enrolments.checkins));
  }
  const declarations = declarationsOf(real('declaration'));
  const outcome = await server.declarations(declarations);
  const commands: string[] = [];
  // What ends an enrolment goes last.
  const ending = (item: SchemaItem): number => Number(item.id === 'EraseDevice');
  for (const item of schema.all('command').toSorted((a, b) => ending(a) - ending(b))) {
    commands.push(await commandRow(item, server));
  }
  await server.engine.stop();
  return [
    '# Conformance',
    '',
    'Written by `npm run conformance`, which measures what it says; a test holds it. A cell that is not `yes` gives the reason.',
    '',
    '- **encoded**: our writer makes it (of a check-in: its answer) and our reader reads back the same.',
    '- **decoded**: our reader reads it (of a command: its response).',
    "- **validated**: the least valid value of Apple's schema passes, and one that is wrong is refused.",
    '- **simulated**: the simulated device knows it.',
    '- **end-to-end**: through the HTTP handler of the host, the engine and a store, with a device at the other end. Of a',
    '  command: the state in which it ended, with the error that the simulated device gave; of a declaration: what the device',
    '  that makes most of it says.',
    '',
    '## Check-in messages',
    '',
    ...head('message'),
    ...checkins,
    '',
    '## Enrolment types',
    '',
    'With the tests of what is encoded, decoded and validated. Simulated and end-to-end is the enrolment matrix on one server; the',
    'test takes it through each host and each store.',
    '',
    ...head('type'),
    ...enrolments.types.map(({ type, cells }) => row(type, ...cells)),
    '',
    '### Which device enrols how',
    '',
    'Of each kind: it enrols; or it does so without what is special here; or it refuses, as Apple does not have it.',
    '',
    row('type', ...enrolments.kinds, 'source'),
    row('type', ...enrolments.kinds, 'source').replaceAll(/[^|]+/g, ' --- '),
    ...enrolments.matrix.map(({ type, cells }) => row(type, ...cells)),
    '',
    '## Commands',
    '',
    ...head('command'),
    ...commands.toSorted(),
    '',
    '## Declarations',
    '',
    ...head('declaration'),
    ...declarations.map((one) => declarationRow(one, outcome)),
    '',
    '## Status items',
    '',
    ...head('status item'),
    ...statusItems,
    '',
  ].join('\n');
}

if (process.argv[1] === import.meta.filename) writeFileSync(conformancePage, await conformanceText());
