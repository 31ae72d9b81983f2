// Which profile a device gets, and what changes mean.
import { describe, expect, it } from 'vitest';
import { createProfileChooser, type ProfileChange, type ProfiledDevice, planProfileChange } from '../src/index.ts';
import { codeOf } from './support.ts';

describe('assignment rules', () => {
  const chooser = createProfileChooser({
    rules: [
      { profileId: 'boss', serials: ['C02AAA', 'C02BBB'] },
      { profileId: 'kiosk', labels: ['Kiosks'], families: ['iPad'] },
      { profileId: 'air', models: ['MacBook Air'] },
      { profileId: 'batch', orders: ['W100000001'] },
    ],
    defaultProfileId: 'standard',
  });

  it('take the first that fits, else the default', () => {
    const choose = (device: object) => chooser.choose({ serial_number: 'X', ...device });
    expect(choose({ serial_number: 'c02bbb', model: 'MacBook Air' })).toEqual({ profileId: 'boss', rule: 0 });
    expect(choose({ device_family: 'iPad', labels: new Set(['Kiosks', 'All']) })).toEqual({
      profileId: 'kiosk',
      rule: 1,
    });
    expect(choose({ device_family: 'iPhone', labels: new Set(['Kiosks']) })).toEqual({ profileId: 'standard' });
    expect(choose({ device_family: 'iPad' })).toEqual({ profileId: 'standard' });
    expect(choose({ model: 'macbook air' })).toEqual({ profileId: 'air', rule: 2 });
    expect(choose({ orderNumber: 'W100000001' })).toEqual({ profileId: 'batch', rule: 3 });
    expect(createProfileChooser({ rules: [] }).choose({ serial_number: 'X' })).toBeUndefined();
  });

  it('need a condition', () => {
    expect(codeOf(() => createProfileChooser({ rules: [{ profileId: 'all' }] }))).toBe('ade.rules.empty');
    expect(codeOf(() => createProfileChooser({ rules: [{ profileId: 'all' }] }), 'at')).toEqual({ path: '/rules/0' });
  });

  it('take 50,000 serial numbers and 100,000 choices without effort', () => {
    const serials = Array.from({ length: 50_000 }, (_, index) => `S${index}`);
    const many = createProfileChooser({ rules: [{ profileId: 'many', serials }] });
    let hits = 0;
    for (let index = 0; index < 100_000; index++) if (many.choose({ serial_number: `S${index}` })) hits++;
    expect(hits).toBe(50_000);
  });
});

describe('consequences', () => {
  const devices: readonly ProfiledDevice[] = [
    { serial_number: 'A1', profileId: 'a', profile_status: 'assigned' },
    { serial_number: 'A2', profileId: 'a', profile_status: 'pushed' },
    { serial_number: 'B1', profileId: 'b', profile_status: 'pushed' },
    { serial_number: 'N1', profile_status: 'empty' },
  ];
  const plan = (change: ProfileChange, defaultProfileId: string | undefined = 'b') =>
    planProfileChange({ profileIds: ['a', 'b', 'c'], devices, ...(defaultProfileId && { defaultProfileId }) }, change);

  it('a new default changes no device that is there', () => {
    expect(plan({ type: 'set-default', profileId: 'a' })).toEqual({
      steps: [],
      atSetup: [],
      afterErase: [],
      unknown: [],
      defaultProfileId: 'a',
    });
    expect(plan({ type: 'set-default', profileId: undefined })).not.toHaveProperty('defaultProfileId');
  });

  it('an edited profile is defined anew and assigned to its devices; set-up devices keep theirs until erased', () => {
    expect(plan({ type: 'edit', profileId: 'a' })).toEqual({
      steps: [
        { do: 'define', profileId: 'a' },
        { do: 'assign', profileId: 'a', serials: ['A1', 'A2'] },
      ],
      atSetup: ['A1'],
      afterErase: ['A2'],
      unknown: [],
      defaultProfileId: 'b',
    });
    expect(plan({ type: 'edit', profileId: 'c' }).steps).toEqual([{ do: 'define', profileId: 'c' }]);
  });

  it('the devices of a deleted profile get the default, or none', () => {
    expect(plan({ type: 'delete', profileId: 'a' }).steps).toEqual([
      { do: 'assign', profileId: 'b', serials: ['A1', 'A2'] },
    ]);
    expect(plan({ type: 'delete', profileId: 'a' }, '').steps).toEqual([{ do: 'remove', serials: ['A1', 'A2'] }]);
  });

  it('the default is deleted only with a successor', () => {
    expect(codeOf(() => plan({ type: 'delete', profileId: 'b' }))).toBe('ade.change.default');
    expect(codeOf(() => plan({ type: 'delete', profileId: 'b', newDefault: 'b' }))).toBe('ade.change.default');
    expect(plan({ type: 'delete', profileId: 'b', newDefault: 'c' })).toMatchObject({
      steps: [{ do: 'assign', profileId: 'c', serials: ['B1'] }],
      defaultProfileId: 'c',
    });
    const none = plan({ type: 'delete', profileId: 'b', newDefault: null });
    expect(none.steps).toEqual([{ do: 'remove', serials: ['B1'] }]);
    expect(none).not.toHaveProperty('defaultProfileId');
  });

  it('assigning and removing reach the devices that have something else', () => {
    expect(plan({ type: 'assign', profileId: 'a', serials: ['A1', 'B1', 'N1', 'STRANGER'] })).toMatchObject({
      steps: [{ do: 'assign', profileId: 'a', serials: ['B1', 'N1'] }],
      atSetup: ['N1'],
      afterErase: ['B1'],
      unknown: ['STRANGER'],
    });
    expect(plan({ type: 'remove', serials: ['A2', 'N1'] })).toMatchObject({
      steps: [{ do: 'remove', serials: ['A2'] }],
      afterErase: ['A2'],
    });
  });

  it('deleting an account changes nothing at Apple; unknown profiles are refused', () => {
    expect(plan({ type: 'delete-account' }).steps).toEqual([]);
    for (const change of [
      { type: 'edit', profileId: 'x' },
      { type: 'delete', profileId: 'x' },
      { type: 'set-default', profileId: 'x' },
      { type: 'assign', profileId: 'x', serials: [] },
      { type: 'delete', profileId: 'b', newDefault: 'x' },
    ] as const) {
      expect(codeOf(() => plan(change))).toBe('ade.change.unknown_profile');
    }
  });
});
