// Every row of the specification's table of worked expressions, the malformed ones included.
import { expect, test } from 'vitest';
import { catalogue } from '../src/catalogue.ts';
import {
  compile,
  excludeRetired,
  parse,
  parseBasic,
  print,
  type SearchRecord,
  SearchSyntaxError,
  validate,
} from '../src/index.ts';

const now = Date.UTC(2026, 4, 31, 12);
const DAY = 86_400_000;
const matches = (text: string, record: SearchRecord): boolean => compile(parse(text), { catalogue })(record, now);

interface Row {
  readonly text: string;
  readonly canonical?: string;
  readonly yes: readonly SearchRecord[];
  readonly no: readonly SearchRecord[];
}

const one = '("common.platform" = "iOS" OR "common.platform" = "Android") AND "common.home_operator_name" = "AT&T"';
const rows: Record<string, Row> = {
  '1': {
    text: one,
    yes: [
      { 'common.platform': 'iOS', 'common.home_operator_name': 'AT&T' },
      { 'common.platform': 'Android', 'common.home_operator_name': 'at&t' },
    ],
    no: [{ 'common.platform': 'iOS' }, { 'common.platform': 'macOS', 'common.home_operator_name': 'AT&T' }],
  },
  '1, with a line break after AND': {
    text: one.replace('AND ', 'AND\n'),
    canonical: one,
    yes: [{ 'common.platform': 'iOS', 'common.home_operator_name': 'AT&T' }],
    no: [{}],
  },
  '2': {
    text: '"common.platform" = "iOS" AND "common.platform" = "Android" AND "common.home_operator_name" = "AT&T"',
    yes: [],
    no: [{ 'common.platform': 'iOS', 'common.home_operator_name': 'AT&T' }],
  },
  '3, AND binds tighter': {
    text: '"common.platform" = "iOS" OR "common.platform" = "Android" AND "common.home_operator_name" = "AT&T"',
    yes: [{ 'common.platform': 'iOS' }, { 'common.platform': 'Android', 'common.home_operator_name': 'AT&T' }],
    no: [{ 'common.platform': 'Android' }],
  },
  '4': {
    text: '"user.ldap.groups.name" = "Corp_Users" AND "common.home_country_code" != "US"',
    yes: [
      { 'user.ldap.groups.name': ['Sales', 'Corp_Users'], 'common.home_country_code': 'DE' },
      { 'user.ldap.groups.name': ['corp_users'] },
    ],
    no: [
      { 'user.ldap.groups.name': ['Corp_Users'], 'common.home_country_code': 'us' },
      { 'user.ldap.groups.name': [] },
    ],
  },
  '5': {
    text: '"common.home_country_name" != "United States"',
    yes: [{}, { 'common.home_country_name': 'Germany' }, { 'common.home_country_name': '' }],
    no: [{ 'common.home_country_name': 'UNITED STATES' }],
  },
  '6': {
    text: '"common.device_space" does not contain "Global"',
    yes: [{ 'common.device_space': 'Europe' }, {}],
    no: [{ 'common.device_space': 'Global' }, { 'common.device_space': 'the global space' }],
  },
  '7': {
    text: '"common.status" = "Pending"',
    yes: [{ 'common.status': 'Pending' }],
    no: [{ 'common.status': 'Active' }, {}],
  },
  '8': {
    text: '"common.retired" = true',
    yes: [{ 'common.retired': true }],
    no: [{ 'common.retired': false }, {}],
  },
  '9': {
    text: '"common.status" = "Blocked"',
    yes: [{ 'common.status': 'Active', 'common.blocked': true }, { 'common.status': 'Blocked' }],
    no: [{ 'common.status': 'Active' }, { 'common.status': 'Active', 'common.blocked': false }],
  },
  '10': {
    text: '"common.quarantined" = true',
    yes: [{ 'common.quarantined': true }],
    no: [{ 'common.quarantined': false }],
  },
  '11': {
    text: '"ios.IsMultiUser" = true OR "ios.apple_user_enrolled_device" = true',
    yes: [{ 'ios.IsMultiUser': true }, { 'ios.apple_user_enrolled_device': true }],
    no: [{ 'ios.IsMultiUser': false }],
  },
  '12, no space before =': {
    text: '"ios.apple_user_enrolled_device"= false',
    canonical: '"ios.apple_user_enrolled_device" = false',
    yes: [{ 'ios.apple_user_enrolled_device': false }],
    no: [{}, { 'ios.apple_user_enrolled_device': true }],
  },
  '14': {
    text: '"ios.apple_user_enrolled_device" = true AND "common.mdm_managed" = false',
    yes: [{ 'ios.apple_user_enrolled_device': true, 'common.mdm_managed': false }],
    no: [{ 'ios.apple_user_enrolled_device': true }],
  },
  '15, field without quotes': {
    text: 'ios.apple_user_enrolled_device = true',
    canonical: '"ios.apple_user_enrolled_device" = true',
    yes: [{ 'ios.apple_user_enrolled_device': true }],
    no: [{}],
  },
  '16': {
    text: '"apple_education.apple_education_in_use" = true',
    yes: [{ 'apple_education.apple_education_in_use': true }],
    no: [{}],
  },
  '17': {
    text: '"apple_education.class_id" starts with "02015a"',
    yes: [{ 'apple_education.class_id': ['x', '02015A-7'] }],
    no: [{ 'apple_education.class_id': ['x02015a'] }, {}],
  },
  '18': {
    text: '"apple_education.course_id" starts with "CA12@314"',
    yes: [{ 'apple_education.course_id': 'CA12@314-maths' }],
    no: [{ 'apple_education.course_id': [] }],
  },
  '19, a list of one in brackets': {
    text: '"apple_education.location_id" = "[CA12@314]"',
    yes: [{ 'apple_education.location_id': ['CA12@314'] }, { 'apple_education.location_id': '[CA12@314]' }],
    no: [{ 'apple_education.location_id': ['CA12@315'] }],
  },
  '20, Teacher': {
    text: '"apple_education.role" equals "Teacher"',
    canonical: '"apple_education.role" = "Teacher"',
    yes: [{ 'apple_education.role': 'teacher' }],
    no: [{ 'apple_education.role': 'Student' }],
  },
  '20, Student': {
    text: '"apple_education.role" equals "Student"',
    canonical: '"apple_education.role" = "Student"',
    yes: [{ 'apple_education.role': 'Student' }],
    no: [{ 'apple_education.role': 'Student (MultiUser)' }],
  },
  '20, Student (MultiUser)': {
    text: '"apple_education.role" equals "Student (MultiUser)"',
    canonical: '"apple_education.role" = "Student (MultiUser)"',
    yes: [{ 'apple_education.role': 'Student (MultiUser)' }],
    no: [{ 'apple_education.role': 'Student' }],
  },
  '20, both kinds of student': {
    text: '"apple_education.role" starts with "Student"',
    yes: [{ 'apple_education.role': 'Student' }, { 'apple_education.role': 'Student (MultiUser)' }],
    no: [{ 'apple_education.role': 'Teacher' }],
  },
  '22': {
    text: '"common.client_last_checkin" within the last 30 days',
    yes: [{ 'common.client_last_checkin': now }, { 'common.client_last_checkin': now - 30 * DAY }],
    no: [{ 'common.client_last_checkin': now - 30 * DAY - 1 }, { 'common.client_last_checkin': now + 1 }, {}],
  },
  '23': {
    text: '"ios.TrustedDevices" = true',
    yes: [{ 'ios.TrustedDevices': true }],
    no: [{ 'ios.TrustedDevices': false }],
  },
};

for (const [name, row] of Object.entries(rows)) {
  test(`row ${name}`, () => {
    const checked = validate(row.text, catalogue);
    expect(checked.diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
    expect(print(parse(row.text))).toBe(row.canonical ?? row.text);
    for (const record of row.yes) expect(matches(row.text, record), JSON.stringify(record)).toBe(true);
    for (const record of row.no) expect(matches(row.text, record), JSON.stringify(record)).toBe(false);
  });
}

test('row 3 is a warning, and an error in strict mode', () => {
  const text = rows['3, AND binds tighter']!.text;
  expect(validate(text).diagnostics).toMatchObject([{ code: 'mixed-and-or', severity: 'warning' }]);
  expect(() => parse(text, { strict: true })).toThrow(SearchSyntaxError);
});

test('row 8 with retired devices excluded gives nothing', () => {
  const search = compile(excludeRetired(parse('"common.retired" = true')), { catalogue });
  expect(search({ 'common.retired': true }, now)).toBe(false);
  const all = compile(excludeRetired(parse('')), { catalogue });
  expect([{ 'common.retired': true }, { 'common.retired': false }, {}].map((r) => all(r, now))).toEqual([
    false,
    true,
    true,
  ]);
});

test('row 13 is a fragment: an error at its first word, and the rest is still understood', () => {
  const text = 'AND "ios.apple_user_enrolled_device" = true';
  const { ok, diagnostics, expression } = validate(text, catalogue);
  expect(ok).toBe(false);
  expect(diagnostics).toMatchObject([{ code: 'expected-field', start: 0, end: 3 }]);
  expect(print(expression!)).toBe('"ios.apple_user_enrolled_device" = true');
  expect(print(parse(`"common.mdm_managed" = true ${text}`))).toBe(`"common.mdm_managed" = true ${text}`);
});

test('row 15 with the full stop of the sentence is refused with a correction', () => {
  expect(validate('ios.apple_user_enrolled_device = true.').diagnostics).toMatchObject([
    { code: 'expected-value', severity: 'error' },
  ]);
});

test.each(['"apple_education.role = "teacher"', '"apple_education.role = "student"'])(
  'row 21, %s, names the missing quote',
  (text) => {
    const error = (() => {
      try {
        parse(text);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(SearchSyntaxError);
    expect(error).toMatchObject({
      code: 'search.syntax.missing_quote',
      kind: 'invalid',
      position: { offset: 0, line: 1, column: 1 },
      expected: ['"'],
      suggestion: '"apple_education.role" = "',
    });
    const { position, end, suggestion } = error as SearchSyntaxError;
    const corrected = text.slice(0, position.offset) + suggestion + text.slice(end);
    expect(print(parse(corrected))).toBe(corrected);
  },
);

test('row 24, basic search', () => {
  const jdoe: SearchRecord = { 'user.email_address': 'JDoe@ivanti.com' };
  for (const text of ['mail:jdoe@ivanti.com', 'jdoe@ivanti.com', 'MAIL: jdoe']) {
    expect(compile(parseBasic(text), { catalogue })(jdoe, now), text).toBe(true);
    expect(compile(parseBasic(text), { catalogue })({ 'user.email_address': 'other@ivanti.com' }, now), text).toBe(
      false,
    );
  }
});
