// Whatever arrives, the readers either read it or throw an MdmError; nothing hangs, nothing else escapes.
import { encodeBinary, encodeXml, type PlistInput } from '@espalier/plist';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  inventoryCommands,
  MdmError,
  readCheckin,
  readCommand,
  readInventory,
  readProfile,
  readResponse,
} from '../src/index.ts';
import * as messages from './fixtures/messages.ts';

const numRuns = process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 500;
const options = { seed: 7, numRuns };

function holds(read: () => unknown): boolean {
  try {
    read();
  } catch (error) {
    if (!(error instanceof MdmError)) throw error;
  }
  return true;
}

const readers = [
  readCheckin,
  readResponse,
  readCommand,
  (bytes: Uint8Array) => readProfile(bytes, { openSigned: () => ({ content: bytes }) }),
];

const keys = [
  'MessageType',
  'Status',
  'UDID',
  'EnrollmentID',
  'UserID',
  'UserShortName',
  'Topic',
  'Token',
  'PushMagic',
  'CommandUUID',
  'Command',
  'RequestType',
  'ErrorChain',
  'PayloadType',
  'PayloadContent',
  'PayloadVersion',
  'PayloadIdentifier',
  'PayloadUUID',
  'IsEncrypted',
  'QueryResponses',
  'SecurityInfo',
  'ProfileList',
  'InstalledApplicationList',
  'CertificateList',
  'ServiceSubscriptions',
  '__proto__',
  'constructor',
  'toString',
];
const words = [
  'Authenticate',
  'TokenUpdate',
  'CheckOut',
  'DeclarativeManagement',
  'GetToken',
  'Idle',
  'Error',
  'Acknowledged',
  'Configuration',
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  '',
  'x',
];

const { dict } = fc.letrec<{ value: PlistInput; dict: { [key: string]: PlistInput } }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...words),
    fc.integer(),
    fc.boolean(),
    fc.uint8Array({ maxLength: 4 }),
    fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('dict'),
  ),
  dict: fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 8 }),
}));

describe('any bytes', () => {
  test('are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readers.every((read) => holds(() => read(bytes)))),
      options,
    );
  });

  test('of a message with a byte changed are read or refused', () => {
    const samples = [messages.authenticate, messages.tokenUpdate, messages.commandError, messages.deviceInformation];
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.nat(), fc.nat(255), (sample, at, byte) => {
        const bytes = Uint8Array.from(sample);
        bytes[at % bytes.length] = byte;
        return readers.every((read) => holds(() => read(bytes)));
      }),
      options,
    );
  });
});

describe('any property list', () => {
  test('is read or refused, XML and binary alike', () => {
    fc.assert(
      fc.property(dict, (value) => {
        const xml = encodeXml(value);
        return readers.every((read) => holds(() => read(xml)) && holds(() => read(encodeBinary(value))));
      }),
      options,
    );
  });

  test('as a response gives facts that are facts', () => {
    fc.assert(
      fc.property(dict, fc.constantFrom(...inventoryCommands), (value, requestType) => {
        const bytes = encodeXml({ ...value, Status: 'Acknowledged', CommandUUID: 'c', UDID: 'u', ErrorChain: [] });
        let response: ReturnType<typeof readResponse>;
        try {
          response = readResponse(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MdmError);
          return;
        }
        for (const fact of Object.values(readInventory(requestType, response.value)!.facts)) {
          const items: readonly unknown[] = Array.isArray(fact) ? fact : [fact];
          for (const item of items)
            expect(item === null || ['string', 'number', 'boolean'].includes(typeof item)).toBe(true);
        }
      }),
      options,
    );
  });
});
