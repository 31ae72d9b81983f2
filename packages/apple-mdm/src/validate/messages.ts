// Checks MDM messages: commands, the devices' responses to them, check-ins.
import { schema } from '../schema/catalogue.ts';
import type { SchemaKey } from '../schema/model.ts';
import { checkDictionary, judgeItem, type Walk } from './check.ts';
import { compileFields, compileItem, type Fields } from './compile.ts';
import type { Place } from './issue.ts';
import { nearest } from './nearest.ts';
import { entry, nameOfType, typeOfValue } from './values.ts';

const key = (name: string, type: SchemaKey['type'], more: Partial<SchemaKey> = {}): SchemaKey => ({
  key: name,
  type,
  ...more,
});

// The protocol's envelope: the schema describes what is inside.
let commandFields: Fields | undefined;
let innerFields: Fields | undefined;
let responseFields: Fields | undefined;

function commandEnvelope(): Fields {
  commandFields ??= compileFields(
    [key('CommandUUID', 'string', { presence: 'required' }), key('Command', 'dictionary', { presence: 'required' })],
    {},
    [],
  );
  return commandFields;
}

function commandInner(): Fields {
  innerFields ??= compileFields(
    [key('RequestType', 'string', { presence: 'required' }), key('RequestRequiresNetworkTether', 'boolean')],
    {},
    [],
  );
  return innerFields;
}

/** The keys around every answer. */
export function responseEnvelope(): Fields {
  responseFields ??= compileFields(
    [
      key('Status', 'string', {
        presence: 'required',
        rangelist: ['Acknowledged', 'CommandFormatError', 'Error', 'Idle', 'NotNow'],
      }),
      ...['CommandUUID', 'UDID', 'EnrollmentID', 'EnrollmentUserID', 'UserID', 'UserShortName', 'UserLongName'].map(
        (name) => key(name, 'string'),
      ),
      key('RequestType', 'string'),
      key('NotOnConsole', 'boolean'),
      key('ErrorChain', 'array', { subkeys: [key('Error', 'dictionary')] }),
    ],
    {},
    [],
  );
  return responseFields;
}

function unknownName(walk: Walk, name: string, at: Place, kind: 'command' | 'checkin'): void {
  const close = nearest(name, schema.names(kind), 2);
  const remedy = close.length > 0 ? `Did you mean ${close.join(' or ')}?` : 'Check how it is written.';
  walk.issues.add(at, 'schema.unknown', 'warning', `${name} is not in the schema`, remedy);
}

/** Checks a command: the whole of what a server sends, or what is under its `Command`. */
export function checkCommand(walk: Walk, value: object): void {
  const wrapped = Object.hasOwn(value, 'Command') || Object.hasOwn(value, 'CommandUUID');
  let place: Place | null = null;
  let inner: unknown = value;
  if (wrapped) {
    checkDictionary(walk, [commandEnvelope()], value, null, 0);
    inner = entry(value, 'Command');
    place = { parent: null, name: 'Command' };
    if (typeOfValue(inner) !== 'dictionary') return;
  }
  const command = inner as object;
  const name = entry(command, 'RequestType');
  const item = typeof name === 'string' ? schema.command(name) : undefined;
  if (item === undefined) {
    checkDictionary(walk, [commandInner()], command, place, 0, undefined, () => true);
    if (typeof name === 'string') unknownName(walk, name, { parent: place, name: 'RequestType' }, 'command');
    return;
  }
  judgeItem(walk, item.id, item.supportedOS, place);
  checkDictionary(walk, [compileItem(item).fields, commandInner()], command, place, 0);
}

/** Checks a device's response to the command with the given RequestType; without one, only the envelope. */
export function checkResponse(walk: Walk, value: object, name: string | undefined): void {
  const item = name === undefined ? undefined : schema.command(name);
  const status = entry(value, 'Status');
  if (item === undefined) {
    checkDictionary(walk, [responseEnvelope()], value, null, 0, undefined, () => true);
    return;
  }
  // Only an acknowledged command answers with all of its keys.
  const answered = status === 'Acknowledged';
  const replies = compileItem(item).replies;
  const fields = answered ? replies : { ...replies, requiredNodes: [], rules: [] };
  checkDictionary(walk, [fields, responseEnvelope()], value, null, 0);
}

/** Devices say who they are in every message, also in those for which the schema does not list it. */
const identityKeys = new Set(['UDID', 'EnrollmentID', 'EnrollmentUserID', 'UserID', 'UserShortName', 'UserLongName']);

/** Checks a check-in message. */
export function checkCheckin(walk: Walk, value: object): void {
  const name = entry(value, 'MessageType');
  const item = typeof name === 'string' ? schema.checkin(name) : undefined;
  if (item === undefined) {
    const type = typeOfValue(name);
    const at: Place = { parent: null, name: 'MessageType' };
    if (typeof name === 'string') unknownName(walk, name, at, 'checkin');
    else if (name === undefined) walk.issues.add(at, 'key.missing', 'error', 'is required', 'Add MessageType.');
    else walk.issues.add(at, 'type.wrong', 'error', `is ${nameOfType(type)}, not a string`, 'Give a string.');
    return;
  }
  judgeItem(walk, item.id, item.supportedOS, null);
  checkDictionary(walk, [compileItem(item).fields], value, null, 0, undefined, (key) => identityKeys.has(key));
}
