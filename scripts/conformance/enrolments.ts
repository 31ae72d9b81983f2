// The ways to enrol, each with the tests that go through it: file and title, which a test looks up.

/** A test, by file and title. */
export interface NamedTest {
  readonly file: string;
  readonly title: string;
}

const pure = 'packages/apple-mdm/test/enrolling.test.ts';
const apple = 'packages/host/test/enrol-apple.test.ts';

const test = (file: string, title: string): NamedTest => ({ file, title });

const byLink = test('test/hosts.test.ts', 'enrols a phone, learns what it is');
const ade = test(apple, 'gives the profile to a device whose signature holds');
const gate = test(apple, 'makes a device update first, where it can and has to');
const web = test(apple, 'hands the first visit of the sign-in page to the product');
const simple = test(apple, 'takes a user from the sign-in to an enrolled device');
const whole = test(apple, 'enrols whole devices, with their access rights');
const oauth = test(apple, 'goes by OAuth 2 of another server');
const ota = test(apple, 'asks for the device first, and ties its answer to the invitation');
const shared = test(apple, 'an Apple TV and a Shared iPad come in by the same door');
const machine = test(pure, 'has a property for each key of the schema');
const refusals = test(pure, 'are as the schema has them');
const challenges = test(pure, 'has the challenges of Apple’s examples');
const noRights = test(pure, 'has a profile without access rights');
const service = test(pure, 'asks for attributes');

const byLinkOnly = 'no: the simulated device enrols by link, PIN or file';
const cell = (named: NamedTest): string => `yes (${named.file.split('/').at(-1)?.replace('.test.ts', '')})`;

/** Each type with its cells: encoded, decoded, validated, simulated, end-to-end. */
export const enrolmentTypes: readonly {
  readonly type: string;
  readonly cells: readonly [string, string, string, string, string];
  readonly tests: readonly NamedTest[];
}[] = [
  {
    type: 'Profile, by link or registration PIN',
    cells: [cell(byLink), cell(byLink), cell(byLink), 'yes', cell(byLink)],
    tests: [byLink],
  },
  {
    type: 'Profile service (over the air)',
    cells: [cell(service), cell(machine), cell(ota), byLinkOnly, cell(ota)],
    tests: [service, machine, ota],
  },
  {
    type: 'Automated Device Enrolment',
    cells: [cell(ade), cell(machine), cell(refusals), byLinkOnly, cell(ade)],
    tests: [ade, machine, refusals],
  },
  {
    type: 'Automated Device Enrolment, software-update gate',
    cells: [cell(refusals), cell(machine), cell(refusals), byLinkOnly, cell(gate)],
    tests: [refusals, gate],
  },
  {
    type: 'Automated Device Enrolment, web sign-in',
    cells: [cell(web), cell(machine), cell(web), byLinkOnly, cell(web)],
    tests: [web],
  },
  {
    type: 'Account-driven User Enrolment, `apple-as-web`',
    cells: [cell(challenges), cell(simple), cell(noRights), byLinkOnly, cell(simple)],
    tests: [challenges, simple, noRights],
  },
  {
    type: 'Account-driven User Enrolment, `apple-oauth2`',
    cells: [cell(challenges), cell(oauth), cell(noRights), byLinkOnly, cell(oauth)],
    tests: [oauth],
  },
  {
    type: 'Account-driven Device Enrolment',
    cells: [cell(challenges), cell(whole), cell(whole), byLinkOnly, cell(whole)],
    tests: [whole],
  },
  {
    type: 'Shared iPad (device and user channel), Apple TV',
    cells: [cell(ade), cell(shared), cell(shared), 'no: no user channel of a Shared iPad', cell(shared)],
    tests: [shared],
  },
];
