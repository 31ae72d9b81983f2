// The ways to enrol: what is encoded, decoded and validated in each has a test by file and title; whether the simulated
// devices come in, and all is as it should be afterwards, is measured with the enrolment matrix on one server.
import { createMemoryStore } from '@espalier/core';
import { createKeyPool } from '@espalier/simulator';
import { type PairReport, returnToService, runPairs } from '../../test/enrolment-matrix/run.ts';
import { type KindName, kinds, pairs, type WayName, ways } from '../../test/enrolment-matrix/table.ts';
import { problemsOf } from '../../test/enrolment-matrix/verdict.ts';
import { makeAuthorities, startWorld } from '../../test/enrolment-matrix/world.ts';

/** A test, by file and title. */
export interface NamedTest {
  readonly file: string;
  readonly title: string;
}

const pure = 'packages/apple-mdm/test/enrolling.test.ts';
const apple = 'packages/host/test/enrol-apple.test.ts';

const test = (file: string, title: string): NamedTest => ({ file, title });

const link = test('test/hosts.test.ts', 'serves a profile that openssl verifies and Python reads');
const pin = test('packages/host/test/enrol.test.ts', 'gives the profile, by address or by form');
const ade = test(apple, 'gives the profile to a device whose signature holds');
const gate = test(apple, 'makes a device update first, where it can and has to');
const web = test(apple, 'hands the first visit of the sign-in page to the product');
const simple = test(apple, 'takes a user from the sign-in to an enrolled device');
const whole = test(apple, 'enrols whole devices, with their access rights');
const oauth = test(apple, 'goes by OAuth 2 of another server');
const userProfile = 'test/user-profile.test.ts';
const byProfile = test(userProfile, 'says User Enrolment to systems that know it, and device enrolment to older ones');
const forSystems = test(userProfile, 'is for Safari, and for systems that take such a profile');
const ota = test(apple, 'asks for the device first, and ties its answer to the invitation');
const machine = test(pure, 'has a property for each key of the schema');
const refusals = test(pure, 'are as the schema has them');
const challenges = test(pure, 'has the challenges of Apple’s examples');
const noRights = test(pure, 'has a profile without access rights');
const service = test(pure, 'asks for attributes');

/** Encoded, decoded, validated. */
const tests: { readonly [W in WayName]: readonly [NamedTest, NamedTest, NamedTest] } = {
  link: [link, link, link],
  pin: [pin, pin, pin],
  'profile-service': [service, machine, ota],
  ade: [ade, machine, refusals],
  'ade-update': [refusals, machine, gate],
  'ade-web': [web, machine, web],
  'user-profile': [byProfile, byProfile, forSystems],
  'user-web': [challenges, simple, noRights],
  'user-oauth': [challenges, oauth, noRights],
  'device-web': [challenges, simple, whole],
  'device-oauth': [challenges, oauth, whole],
  watch: [refusals, machine, refusals],
};

/** Every test that the page names. */
export const namedTests: readonly NamedTest[] = Object.values(tests).flat();

const cell = ({ file }: NamedTest): string => `yes (${file.split('/').at(-1)?.replace('.test.ts', '')})`;

/** What was measured. */
export interface MeasuredEnrolments {
  /** Each way: encoded, decoded, validated, simulated, end-to-end. */
  readonly types: readonly { readonly type: string; readonly cells: readonly string[] }[];
  readonly kinds: readonly KindName[];
  /** Each way with a cell for each kind, and the source. */
  readonly matrix: readonly { readonly type: string; readonly cells: readonly string[] }[];
  /** The check-ins that simulated devices have sent meanwhile. */
  readonly checkins: ReadonlySet<string>;
}

/** Sends every kind of device through every way, once. */
export async function measureEnrolments(): Promise<MeasuredEnrolments> {
  const world = await startWorld(createMemoryStore(), 'node', await makeAuthorities());
  const keyPool = createKeyPool();
  try {
    // Identities by SCEP and by ACME are pairs of their own; here one of the two is enough.
    const once = pairs.filter(
      ({ kind, wayName }, at) => at === pairs.findIndex((pair) => pair.kind === kind && pair.wayName === wayName),
    );
    const reports = await runPairs(world, once, keyPool);
    await returnToService(world, keyPool);
    const of = (way: WayName): readonly PairReport[] => reports.filter(({ pair }) => pair.wayName === way);
    const rows = Object.entries(ways) as [WayName, (typeof ways)[WayName]][];
    return {
      types: rows.map(([name, { title }]) => ({
        type: title,
        cells: [...tests[name].map(cell), simulated(of(name)), endToEnd(of(name))],
      })),
      kinds: kinds.map(({ name }) => name),
      matrix: rows.map(([name, { title, source }]) => ({
        type: title,
        cells: [...kinds.map((kind) => outcomeOf(of(name).filter(({ pair }) => pair.kind.name === kind.name))), source],
      })),
      checkins: world.checkins,
    };
  } finally {
    await world.close();
  }
}

function simulated(reports: readonly PairReport[]): string {
  const refused = reports.find((report) => report.pair.outcome === 'enrols' && report.refused !== null);
  return refused === undefined ? 'yes' : `no: ${refused.pair.name}: ${refused.refused?.message}`;
}

function endToEnd(reports: readonly PairReport[]): string {
  const [first] = reports.flatMap((report) => problemsOf(report).map((problem) => `${report.pair.name}: ${problem}`));
  return first === undefined ? 'yes' : `no: ${first}`;
}

function outcomeOf(reports: readonly PairReport[]): string {
  const [problem] = reports.flatMap((report) => problemsOf(report));
  if (problem !== undefined) return `wrong: ${problem}`;
  return { enrols: 'enrols', 'ignores it': 'without it', refuses: 'refuses' }[reports[0]!.pair.outcome];
}
