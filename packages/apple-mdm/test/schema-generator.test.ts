// The generator on levels of our own: how levels lie on each other, what is refused, how differences are told.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyChanges } from '../../../scripts/schema/changes.ts';
import { differences } from '../../../scripts/schema/check.ts';
import { factsText } from '../../../scripts/schema/facts.ts';
import type { Item } from '../../../scripts/schema/model.ts';
import { kindOf, normaliseItem } from '../../../scripts/schema/normalise.ts';
import { layLevels } from '../../../scripts/schema/read.ts';
import { applyRules } from '../../../scripts/schema/rules.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-schema-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const commandFile = 'mdm/commands/device.paint.yaml';
const paint = (keys: string): string => `title: Paint
description: prose that must not be kept
payload:
  requesttype: Paint
  supportedOS: { iOS: { introduced: '4.0' }, macOS: { introduced: n/a } }
  content: more prose
payloadkeys:
${keys}`;

const item = (keys: unknown[], more: object = {}): Item =>
  normaliseItem(
    {
      title: 'Paint',
      payload: { requesttype: 'Paint', supportedOS: { iOS: { introduced: '4.0' }, macOS: { introduced: 'n/a' } } },
      payloadkeys: keys,
      ...more,
    },
    commandFile,
    'one',
  );

describe('levels', () => {
  test('a newer file replaces an older one; what it no longer lists stays, with its last level', () => {
    write(`one/${commandFile}`, paint('- { key: Colour, type: <string> }\n- { key: Lead, type: <boolean> }\n'));
    write(`two/${commandFile}`, paint('- { key: Colour, type: <string>, rangelist: [red] }\n'));
    const { items, levels } = layLevels([join(folder, 'one'), join(folder, 'two')]);
    expect(items).toHaveLength(1);
    expect(items[0]?.level).toBe('two');
    expect(items[0]?.keys).toEqual([
      { key: 'Colour', type: 'string', rangelist: ['red'] },
      { key: 'Lead', type: 'boolean', until: 'one' },
    ]);
    expect(levels.map((level) => level.counts.command)).toEqual([1, 1]);
  });

  test('a file that only the older level has stays', () => {
    write(`one/${commandFile}`, paint('- { key: Colour, type: <string> }\n'));
    write('two/mdm/commands/other.yaml', paint('- { key: A, type: <string> }\n').replace('Paint', 'Other'));
    expect(layLevels([join(folder, 'one'), join(folder, 'two')]).items).toHaveLength(2);
  });

  test('a renamed file is the same item', () => {
    write('one/mdm/commands/device.piant.yaml', paint('- { key: Colour, type: <string> }\n'));
    write(`two/${commandFile}`, paint('- { key: Colour, type: <string> }\n'));
    const { items } = layLevels([join(folder, 'one'), join(folder, 'two')]);
    expect(items.map((one) => one.file)).toEqual([commandFile]);
  });

  test('no prose gets into the facts', () => {
    write(`one/${commandFile}`, paint("- { key: Colour, type: <string>, content: 'The colour of the device.' }\n"));
    const text = factsText(layLevels([join(folder, 'one')]).items);
    expect(text).toContain('Colour');
    expect(text).not.toMatch(/prose|The colour/);
  });
});

describe('the format', () => {
  test('an attribute that is not known is refused, not dropped', () => {
    expect(() => item([{ key: 'A', type: '<string>', novelty: 1 }])).toThrow(/unknown attribute novelty/);
    expect(() => item([{ key: 'A', type: '<colour>' }])).toThrow(/unknown type/);
    expect(() => item([{ key: 'A', type: '<string>', presence: 'maybe' }])).toThrow(/unknown presence/);
    expect(() => item([{ key: 'A', type: '<string>', supportedOS: { BeOS: {} } }])).toThrow(/unknown platform/);
    expect(() => item([{ key: 'A', type: '<string>', supportedOS: { iOS: { colour: 1 } } }])).toThrow(/colour/);
    expect(() => item([{ key: 'A', type: '<string>', supportedOS: { iOS: { introduced: 'soon' } } }])).toThrow(
      /no version/,
    );
    expect(() => kindOf('mdm/sundries/a.yaml')).toThrow(/no kind/);
    expect(() => normaliseItem({ title: 'X', payload: {} }, commandFile, 'one')).toThrow(/no type/);
  });
});

describe('changes', () => {
  const items = (): Map<string, Item> =>
    new Map([[commandFile, item([{ key: 'Colour', type: '<string>', rangelist: ['red'] }])]]);

  test('remove, deprecate, add, extend', () => {
    const map = items();
    applyChanges(
      map,
      [
        {
          file: commandFile,
          removed: '9.0',
          deprecatedKeys: { Colour: '8.0' },
          values: { Colour: ['blue'] },
          add: { '': [{ key: 'Gloss', type: '<real>' }] },
        },
      ],
      'test',
    );
    const changed = map.get(commandFile);
    expect(changed?.supportedOS?.iOS).toEqual({ introduced: '4.0', removed: '9.0' });
    expect(changed?.supportedOS?.macOS).toEqual({ introduced: 'n/a' });
    expect(changed?.keys).toEqual([
      { key: 'Colour', type: 'string', rangelist: ['red', 'blue'], supportedOS: { iOS: { deprecated: '8.0' } } },
      { key: 'Gloss', type: 'real' },
    ]);
  });

  test('what names nothing is refused', () => {
    expect(() => applyChanges(items(), [{ file: 'no.yaml' }], 'test')).toThrow(/no file/);
    expect(() => applyChanges(items(), [{ file: commandFile, removedKeys: { No: '9.0' } }], 'test')).toThrow(/no key/);
    const again = { file: commandFile, add: { '': [{ key: 'Colour', type: '<string>' }] } };
    expect(() => applyChanges(items(), [again], 'test')).toThrow(/there already/);
  });

  test('a rule that names no key of its dictionary is refused', () => {
    expect(() => applyRules(items(), [{ file: commandFile, rules: [{ at: [''], require: ['No'] }] }])).toThrow(
      /no key/,
    );
    expect(() => applyRules(items(), [{ file: commandFile, rules: [{ at: ['No'], require: ['A'] }] }])).toThrow(
      /no dictionary/,
    );
  });
});

describe('the check', () => {
  test('tells missing, changed and superfluous files', () => {
    const report = differences(
      new Map([
        ['a', 'one\ntwo'],
        ['c', 'x'],
      ]),
      new Map([
        ['a', 'one\nthree'],
        ['b', 'y'],
      ]),
    );
    expect(report).toEqual([
      'a: 1 lines missing or changed, 1 lines too many',
      '  + three',
      '  - two',
      'b: missing',
      'c: not written by the generator',
    ]);
    expect(differences(new Map([['a', 'x']]), new Map([['a', 'x']]))).toEqual([]);
  });

  test('the program writes the same twice, fails on a changed file, and explains itself', () => {
    const root = join(import.meta.dirname, '../../..');
    const out = join(folder, 'out');
    // The whole committed catalogue is the smallest one that the rules fit: copied, then spoilt.
    mkdirSync(out);
    const generated = join(import.meta.dirname, '../src/generated');
    for (const name of readdirSync(generated)) writeFileSync(join(out, name), readFileSync(join(generated, name)));
    const run = (...args: string[]) =>
      spawnSync(process.execPath, ['scripts/schema.ts', ...args], { cwd: root, encoding: 'utf8' });
    expect(run().status).toBe(2);
    expect(run('--help').stdout).toContain('usage');
    expect(run(join(folder, 'nowhere')).status).toBe(2);
    const levels = ['os18.3', 'os27'].map((level) => join(root, '../shared/apple-schema', level));
    const first = run('--check', '--out', out, ...levels);
    if (first.status === 2) {
      console.log("Apple's schema is not present: the check on a changed file is skipped");
      return;
    }
    expect(first.status).toBe(0);
    const facts = join(out, 'facts-checkin.ts');
    writeFileSync(facts, readFileSync(facts, 'utf8').replace('TokenServiceType', 'TokenServiceTipe'));
    const spoilt = run('--check', '--out', out, ...levels);
    expect(spoilt.status).toBe(1);
    expect(spoilt.stderr).toContain('facts-checkin.ts: 1 lines missing or changed, 1 lines too many');
  });
});
