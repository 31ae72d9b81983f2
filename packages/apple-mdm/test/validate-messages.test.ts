// Validation of what the other parts of the package read and build: none of it may be called wrong.
import { decode } from '@espalier/plist';
import { describe, expect, test } from 'vitest';
import { command, enrolmentProfile, type Target, validate } from '../src/index.ts';
import * as messages from './fixtures/messages.ts';

const checkins = Object.entries(messages).flatMap(([name, bytes]) => {
  if (!(bytes instanceof Uint8Array)) return [];
  const value = decode(bytes) as { MessageType?: unknown };
  return value.MessageType === undefined ? [] : [[name, value] as const];
});

describe('check-ins as devices send them', () => {
  test('there are some of every kind', () => expect(checkins.length).toBeGreaterThan(8));

  test.each(checkins)('%s', (_, value) => {
    expect(validate('checkin', value)).toEqual([]);
  });
});

describe('responses as devices send them', () => {
  const responses = Object.entries(messages).flatMap(([name, bytes]) => {
    if (!(bytes instanceof Uint8Array)) return [];
    const value = decode(bytes) as { Status?: unknown; CommandUUID?: unknown };
    return value.Status === undefined ? [] : [[name, value, String(value.CommandUUID).split('_')[1]] as const];
  });

  test('there are some', () => expect(responses.length).toBeGreaterThan(6));

  test.each(responses)('%s', (_, value, name) => {
    expect(validate('response', value, null, name === undefined ? {} : { name })).toEqual([]);
  });
});

describe('what the builders make', () => {
  const targets: (Target | null)[] = [
    null,
    { platform: 'iOS', osVersion: '17.4', supervised: true },
    { platform: 'macOS', osVersion: '15.0', userApproved: false },
  ];

  test.each(targets)('an enrolment profile, for %j', (target) => {
    const bytes = enrolmentProfile({
      organisation: 'Example',
      serverUrl: 'https://mdm.example.com/server',
      topic: 'com.apple.mgmt.External.x',
      identity: { url: 'https://mdm.example.com/scep', challenge: 'x', subject: [['CN', 'device']], keySize: 2048 },
      rootCertificates: [new Uint8Array([0x30, 0x00])],
      signMessage: true,
    });
    expect(validate('profile', decode(bytes), target)).toEqual([]);
  });

  test('a command', () => {
    const { bytes } = command('DeviceLock', { PIN: '123456' }, { commandUuid: 'one' });
    expect(validate('command', decode(bytes), { platform: 'macOS', osVersion: '15.0' })).toEqual([]);
  });
});
