// Bulk registration by CSV: users by serial number, what excludes what, and who claims a registration.
import { describe, expect, it } from 'vitest';
import { createPendingRegistrations, type RegistrationOptions, readRegistrations } from '../src/index.ts';

const faults = (text: string, options?: RegistrationOptions): string[] => {
  const result = readRegistrations(text, options);
  return result.ok ? [] : result.problems.map((problem) => `${problem.code} ${problem.row}:${problem.column}`);
};

describe('a file of registrations', () => {
  it('names a user for each serial number, and who gets a PIN', () => {
    const file = 'Serial Number,User,Include DEP Only Registration Pin\nC02ABCDEFGHJ,ada,TRUE\nC02ABCDEFGHK,ada,\n';
    expect(readRegistrations(file)).toEqual({
      ok: true,
      registrations: [
        { serial: 'C02ABCDEFGHJ', user: 'ada', registrationPin: true },
        { serial: 'C02ABCDEFGHK', user: 'ada', registrationPin: false },
      ],
    });
    const other = 'serial,Owner,Country\nC02ABCDEFGHJ,alan,GB\n';
    expect(readRegistrations(other, { userHeading: 'Owner', otherHeadings: ['Country'] })).toMatchObject({
      registrations: [{ user: 'alan', registrationPin: false }],
    });
  });

  it('is taken whole or not at all', () => {
    expect(faults('serial number,Pin\nC02ABCDEFGHJ,x\n')).toEqual([
      'ade.csv.unknown_column 1:2',
      'ade.csv.missing_column 1:1',
    ]);
    expect(faults('serial number,User\nC02ABCDEFGHJ,ada\nC02ABCDEFGHK,\n')).toEqual(['ade.csv.value 3:2']);
    expect(faults('serial number,User\nC02ABCDEFGHJ,ada\nc02abcdefghj,alan\n')).toEqual([
      'ade.csv.repeated_serial 3:1',
    ]);
    const pin = 'serial number,User,Include DEP Only Registration Pin\nC02ABCDEFGHJ,ada,maybe\n';
    expect(faults(pin)).toEqual(['ade.csv.value 2:3']);
    expect(
      faults('serial number,User\nC02ABCDEFGHJ,ada\n\nC02ABCDEFGHK,alan\n', {
        isKnownUser: (user) => user !== 'ada',
        hasSingleDevice: (user) => user === 'alan',
      }),
    ).toEqual(['ade.csv.check 2:2', 'ade.csv.check 4:2']);
    expect(faults('serial number,User\nC02ABCDEFGHJ,ada\nC02ABCDEFGHK,alan\n', { maxDevices: 1 })).toEqual([
      'ade.csv.too_many 3:1',
    ]);
  });
});

it('a registration is claimed by the first device with its serial number', () => {
  const [first, second] = ['C02ABCDEFGHJ', 'C02ABCDEFGHK'].map((serial) => ({
    serial,
    user: 'ada',
    registrationPin: false,
  }));
  const registrations = createPendingRegistrations([first!, second!, { ...first!, user: 'alan' }]);
  expect(registrations.claim('c02abcdefghj')).toEqual({ ...first, user: 'alan' });
  expect(registrations.claim('C02ABCDEFGHJ')).toBeUndefined();
  expect(registrations.claim('STRANGER')).toBeUndefined();
  expect(registrations.pending()).toEqual([second]);
});
