// Pre-assignment by CSV: the specification's files, what is wrong with others and where, python3's csv as oracle.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { need, run } from '../../../test/support/tools.ts';
import { parseCsv } from '../src/csv/parse.ts';
import { type PreAssignmentOptions, type PreAssignmentResult, readPreAssignment } from '../src/index.ts';

const options: PreAssignmentOptions = {
  attributes: [
    { name: 'ManagedAppleID', type: 'string' },
    { name: 'DeviceCart', type: 'string' },
    { name: 'Loaner', type: 'boolean' },
    { name: 'Shelf', type: 'integer' },
    { name: 'Weight', type: 'number' },
    { name: 'Bought', type: 'date' },
  ],
  managedAppleIdAttribute: 'ManagedAppleID',
  cartAttribute: 'DeviceCart',
  isKnownSerial: (serial) => serial !== 'STRANGER1',
};
const limits = { maxBytes: 1e9, maxRows: 1e6, maxColumns: 1e4, maxCell: 1e6 };

const read = (text: string | Uint8Array, more: Partial<PreAssignmentOptions> = {}): PreAssignmentResult =>
  readPreAssignment(text, { ...options, ...more });
function good(text: string | Uint8Array, more: Partial<PreAssignmentOptions> = {}) {
  const result = read(text, more);
  if (!result.ok) throw new Error(result.problems.map((problem) => problem.message).join('\n'));
  return result;
}

describe('a file for people', () => {
  it('sets what has a value, removes what is blank, leaves what has no column', () => {
    const { devices, attributes, warnings } = good(
      'serial number,ManagedAppleID,Loaner\nC02ABCDEFGHJ,jdoe@school.com,TRUE\nC02ABCDEFGHK,,false\n',
    );
    expect(attributes).toEqual(['ManagedAppleID', 'Loaner']);
    expect(warnings).toEqual([]);
    expect(devices).toEqual([
      {
        serial: 'C02ABCDEFGHJ',
        set: new Map<string, unknown>([
          ['ManagedAppleID', 'jdoe@school.com'],
          ['Loaner', true],
        ]),
        clear: [],
      },
      { serial: 'C02ABCDEFGHK', set: new Map([['Loaner', false]]), clear: ['ManagedAppleID'] },
    ]);
  });

  it('passes over the column of Apple’s export, and takes it away from nothing', () => {
    for (const heading of ['DEVICE_TYPE', 'MODEL', 'Model']) {
      const { devices, warnings } = good(`Serial Number,${heading},Shelf\nC02ABCDEFGHJ,iPad,7\n`);
      expect(devices[0]!.set).toEqual(new Map([['Shelf', 7]]));
      expect(warnings).toMatchObject([{ code: 'ade.csv.ignored_column', row: 1, column: 2, heading }]);
    }
  });

  it('may have a byte order mark, any line ends, quotation marks, blank lines, spaces, other scripts', () => {
    const rows = ['SERIAL_NUMBER,ManagedAppleID', 'C02ABCDEFGHJ,"J. ""Joe"", Zürich 東京@school.com"'];
    for (const text of [rows.join('\n'), rows.join('\r\n'), rows.join('\r'), `${rows.join('\n\n')}\n\n  \n`]) {
      const file = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]);
      expect(good(file).devices[0]!.set.get('ManagedAppleID')).toBe('J. "Joe", Zürich 東京@school.com');
    }
    expect(good('serial number, Shelf \n C02ABCDEFGHJ , 7 \n').devices[0]).toEqual({
      serial: 'C02ABCDEFGHJ',
      set: new Map([['Shelf', 7]]),
      clear: [],
    });
    expect(good('serial number\nC02ABCDEFGHJ').devices).toHaveLength(1);
  });

  it('has values of the attributes’ types', () => {
    const { devices } = good('serial number,Shelf,Weight,Bought\nC02ABCDEFGHJ,-3,1.5e2,2026-02-28T10:00:00Z\n');
    expect([...devices[0]!.set.values()]).toEqual([-3, 150, '2026-02-28T10:00:00Z']);
  });

  it('has a doubtful Managed Apple Account as a warning', () => {
    expect(good('serial number,ManagedAppleID\nC02ABCDEFGHJ,jdoe\n').warnings).toMatchObject([
      { code: 'ade.csv.managed_apple_id', row: 2, column: 2, heading: 'ManagedAppleID' },
    ]);
  });

  it('has up to 5,000 devices', () => {
    const rows = (count: number) =>
      `serial number\n${Array.from({ length: count }, (_, index) => `SERIAL${10_000 + index}`).join('\n')}\n`;
    expect(good(rows(5000)).devices).toHaveLength(5000);
    expect(read(rows(5001))).toMatchObject({
      ok: false,
      problems: [{ code: 'ade.csv.too_many', row: 5002, column: 1 }],
    });
  });
});

describe('a file for carts', () => {
  it('needs a Shared iPad profile, the column, and a cart in each row', () => {
    const text = 'serial number,DeviceCart\nC02ABCDEFGHJ,History101Cart\n';
    expect(good(text, { multiUser: true }).devices[0]!.set.get('DeviceCart')).toBe('History101Cart');
    expect(read(text)).toMatchObject({ problems: [{ code: 'ade.csv.cart_profile', row: 1, column: 2 }] });
    expect(read('serial number,Shelf\nC02ABCDEFGHJ,1\n', { multiUser: true })).toMatchObject({
      problems: [{ code: 'ade.csv.cart_column', row: 1, column: 1 }],
    });
    expect(read('serial number,DeviceCart\nC02ABCDEFGHJ,\n', { multiUser: true })).toMatchObject({
      problems: [{ code: 'ade.csv.cart', row: 2, column: 2 }],
    });
  });
});

describe('malformed files', () => {
  const cases: readonly (readonly [string, string | Uint8Array, code: string, row: number, column: number])[] = [
    ['nothing', '', 'empty', 1, 1],
    ['a header alone', 'serial number,Shelf\n', 'empty', 2, 1],
    ['no header', 'C02ABCDEFGHJ,1\n', 'serial_column', 1, 1],
    ['the serial number in the second column', 'Shelf,serial number\n1,C02ABCDEFGHJ\n', 'serial_column', 1, 1],
    ['semicolons', 'serial number;Shelf\nC02ABCDEFGHJ;1\n', 'separator', 1, 1],
    ['tabs', 'serial number\tShelf\nC02ABCDEFGHJ\t1\n', 'separator', 1, 1],
    ['UTF-16', Buffer.from('\uFEFFserial number\n', 'utf16le'), 'encoding', 1, 1],
    ['Latin-1', Buffer.from('serial number,ManagedAppleID\nC02ABCDEFGHJ,z\xfcrich@a.ch\n', 'latin1'), 'encoding', 2, 2],
    ['a spreadsheet', Buffer.from('PK\u0003\u0004 serial'), 'control', 1, 1],
    ['an open quotation', 'serial number,Shelf\nC02ABCDEFGHJ,"1\n', 'quote', 2, 2],
    ['text after a quotation', 'serial number,Shelf\n"C02ABCDEFGHJ"x,1\n', 'quote', 2, 1],
    ['a quotation mark inside', 'serial number,Shelf\nC02ABCDEFGHJ,1"\n', 'quote', 2, 2],
    ['a value too many', 'serial number,Shelf\nC02ABCDEFGHJ,1,2\n', 'cells', 2, 3],
    ['a value too few', 'serial number,Shelf,Loaner\nC02ABCDEFGHJ,1\n', 'cells', 2, 2],
    ['an unknown attribute', 'serial number,Colour\nC02ABCDEFGHJ,red\n', 'unknown_column', 1, 2],
    ['an attribute in other letters', 'serial number,shelf\nC02ABCDEFGHJ,1\n', 'unknown_column', 1, 2],
    ['a column without a heading', 'serial number,,Shelf\nC02ABCDEFGHJ,,1\n', 'heading', 1, 2],
    ['a column twice', 'serial number,Shelf,Shelf\nC02ABCDEFGHJ,1,2\n', 'repeated_column', 1, 3],
    ['no serial number', 'serial number,Shelf\n,1\n', 'serial', 2, 1],
    ['a wrong serial number', 'serial number,Shelf\nC02-ABC,1\n', 'serial', 2, 1],
    ['a device twice', 'serial number\nC02ABCDEFGHJ\nc02abcdefghj\n', 'repeated_serial', 3, 1],
    ['another server’s device', 'serial number\nSTRANGER1\n', 'unknown_serial', 2, 1],
    ['a boolean that is none', 'serial number,Loaner\nC02ABCDEFGHJ,yes\n', 'value', 2, 2],
    ['an integer that is none', 'serial number,Shelf\nC02ABCDEFGHJ,1.5\n', 'value', 2, 2],
    ['an integer beyond bounds', 'serial number,Shelf\nC02ABCDEFGHJ,9007199254740993\n', 'value', 2, 2],
    ['a number that is none', 'serial number,Weight\nC02ABCDEFGHJ,1e999\n', 'value', 2, 2],
    ['a date that is none', 'serial number,Bought\nC02ABCDEFGHJ,2026-02-30\n', 'value', 2, 2],
    ['a value too long', `serial number,ManagedAppleID\nC02ABCDEFGHJ,${'x'.repeat(5000)}\n`, 'cell', 2, 2],
    ['three hundred columns', `serial number${',x'.repeat(300)}\n`, 'columns', 1, 201],
    ['nine megabytes', new Uint8Array(9 * 1024 * 1024), 'too_large', 1, 1],
  ];
  for (const [name, file, code, row, column] of cases) {
    it(`${name}: ${code} at row ${row}, column ${column}, and nothing of it`, () => {
      const result = read(file);
      expect(result).not.toHaveProperty('devices');
      expect(result).toMatchObject({ ok: false, problems: [{ code: `ade.csv.${code}`, row, column }] });
      if (code !== 'encoding' && code !== 'too_large') {
        expect(result.ok || result.problems[0]!.message).toContain(`row ${row}, column ${column}`);
      }
    });
  }

  it('have all their faults listed, up to a hundred', () => {
    const rows = Array.from({ length: 150 }, (_, index) => `BAD-${index},x`).join('\n');
    const result = read(`serial number,Shelf\nC02ABCDEFGHJ,1\n${rows}\n`);
    if (result.ok) throw new Error('taken');
    expect(result.problems).toHaveLength(100);
    expect(result.more).toBe(200);
    expect(result.problems.slice(0, 3).map(({ row, column }) => [row, column])).toEqual([
      [3, 1],
      [3, 2],
      [4, 1],
    ]);
  });

  it('hint at the right letters of an attribute', () => {
    const result = read('serial number,managedappleid\nC02ABCDEFGHJ,x\n');
    expect(result.ok || result.problems[0]!.message).toContain('"ManagedAppleID"');
  });

  it('never throw, whatever they are', () => {
    const runs = process.env['ESPALIER_NIGHTLY'] === '1' ? 20_000 : 1500;
    const piece = fc.constantFrom(
      ',',
      '"',
      '\n',
      '\r',
      'serial number',
      'Shelf',
      'C02ABCDEFGHJ',
      '1',
      '',
      'ü',
      '\0',
      ';',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.array(piece, { maxLength: 30 }).map((list) => list.join('')),
        ),
        (file) => {
          const result = read(file);
          if (!result.ok)
            for (const { row, column } of result.problems) expect(Math.min(row, column)).toBeGreaterThan(0);
        },
      ),
      { seed: 8, numRuns: runs },
    );
  });

  it('take time in proportion to their size', () => {
    const evil = `serial number\n"${'""'.repeat(1_000_000)}`;
    const start = performance.now();
    read(evil);
    read(`serial number\n${'\n'.repeat(1_000_000)}`);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe('tables', () => {
  it('are read as python3 wrote them', async (context) => {
    need(context, 'python3');
    const cell = fc.constantFrom(
      '',
      'a',
      'a b',
      ' x ',
      'a,b',
      '"',
      'say ""',
      'line\nbreak',
      'line\r\nbreak',
      'ü東',
      "'",
      ';',
    );
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 });
    const tables = fc.sample(table, { seed: 8, numRuns: 300 });
    const python = [
      'import csv, io, json, sys',
      'out = []',
      'for n, rows in enumerate(json.load(sys.stdin)):',
      '  text = io.StringIO(newline="")',
      '  style = csv.QUOTE_ALL if n % 3 == 0 else csv.QUOTE_MINIMAL',
      '  csv.writer(text, quoting=style, lineterminator=["\\n", "\\r\\n"][n % 2]).writerows(rows)',
      '  out.append(text.getvalue())',
      'json.dump(out, sys.stdout)',
    ].join('\n');
    const written = await run('python3', ['-c', python], { input: Buffer.from(JSON.stringify(tables)) });
    const texts = JSON.parse(written.stdout.toString()) as string[];
    expect(texts).toHaveLength(300);
    texts.forEach((text, index) => {
      expect(parseCsv(text, limits), text).toEqual({ rows: tables[index] });
    });
  });
});
