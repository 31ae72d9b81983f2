// `npm run services`: writes docs/apple-services.md, the table of Apple's endpoints and errors, from the code's own lists.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AppsErrorFacts,
  appsEndpoints,
  appsErrors,
  businessEndpoints,
  businessErrors,
  commonErrors,
  enrolmentEndpoints,
  enrolmentErrors,
  tokenErrors,
} from '@espalier/ade';

const root = join(import.meta.dirname, '..');

/** Where the page is. */
export const servicesPage = join(root, 'docs/apple-services.md');

function textOf(folder: string, only: (file: string) => boolean = () => true): string {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && only(file))
    .map((file) => readFileSync(join(root, folder, file), 'utf8'))
    .join('\n');
}

const services = 'packages/simulator/src/services';
const simulator = {
  enrolment: textOf(`${services}/enrolment`),
  business: textOf(`${services}/business`),
  apps: textOf(`${services}/apps`),
};
const tests = {
  enrolment: textOf('packages/ade/test', (file) => /^(enrolment|sync)/.test(file)),
  business: textOf('packages/ade/test', (file) => file.startsWith('business')),
  apps: textOf('packages/ade/test', (file) => file.startsWith('apps')),
};

const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const head = (...cells: readonly string[]): string[] => [row(...cells), row(...cells.map(() => '---'))];
const code = (text: string): string => `\`${text}\``;
const mark = (yes: boolean): string => (yes ? 'yes' : 'no');

/** Whether a test calls the client's method. */
const called = (text: string, method: string): boolean =>
  method === 'session' || method === 'token' || text.includes(`.${method}(`);

/** Whether a test goes through a whole list of errors. */
const goesThrough = (text: string, list: string): string =>
  mark(new RegExp(`Object\\.(?:keys|entries)\\(${list}\\)`).test(text));

/** Whether the simulated service knows the endpoint: its path, or the last part of a path with identifiers. */
function knows(text: string, method: string, path: string): boolean {
  if (text.includes(`'${method} ${path}'`)) return true;
  const last = path.split('/').findLast((part) => !part.startsWith('{'))!;
  return (
    text.includes(`'${path}'`) ||
    text.includes(`'/${path.split('/').slice(3).join('/')}'`) ||
    text.includes(`'${last}'`)
  );
}

function enrolment(): string[] {
  const lines = head('Apple’s page', 'endpoint', 'client method', 'errors of its own', 'simulated', 'tested');
  for (const { title, method, path, client, errors } of enrolmentEndpoints) {
    const own = errors.map(code).join(' ');
    const simulated = knows(simulator.enrolment, method, path);
    lines.push(
      row(title, code(`${method} ${path}`), code(client), own, mark(simulated), mark(called(tests.enrolment, client))),
    );
  }
  lines.push('', `Every endpoint may also answer ${commonErrors.map(code).join(', ')}.`, '');
  lines.push(...head('error', 'HTTP', '`AdeError` code', 'kind', 'meaning', 'simulated', 'tested'));
  const tested = goesThrough(tests.enrolment, 'enrolmentErrors');
  for (const [name, facts] of Object.entries(enrolmentErrors)) {
    const own = `ade.enrolment.${name.toLowerCase()}`;
    const simulated = simulator.enrolment.includes(`'${name}'`);
    lines.push(row(code(name), String(facts.status), code(own), facts.kind, facts.meaning, mark(simulated), tested));
  }
  return lines;
}

function business(): string[] {
  const lines = head('Apple’s page', 'endpoint', 'client method', 'statuses', 'simulated', 'tested');
  for (const { title, method, path, client, statuses, businessOnly } of businessEndpoints) {
    const page = businessOnly ? `${title} (Business only)` : title;
    const simulated = knows(simulator.business, method, path);
    lines.push(
      row(
        page,
        code(`${method} ${path}`),
        code(client),
        statuses.join(' '),
        mark(simulated),
        mark(called(tests.business, client)),
      ),
    );
  }
  lines.push('', ...head('HTTP', '`AdeError` code', 'kind', 'meaning', 'simulated', 'tested'));
  for (const [status, facts] of Object.entries(businessErrors)) {
    const simulated = simulator.business.includes(`problem(${status},`);
    lines.push(
      row(
        status,
        code(`ade.business.${facts.code}`),
        facts.kind,
        facts.meaning,
        mark(simulated),
        goesThrough(tests.business, 'businessErrors'),
      ),
    );
  }
  lines.push('', ...head('token error', '`AdeError` code', 'meaning', 'simulated', 'tested'));
  for (const [name, meaning] of Object.entries(tokenErrors)) {
    const simulated = simulator.business.includes(`'${name}'`);
    lines.push(
      row(
        code(name),
        code(`ade.business.${name}`),
        meaning,
        mark(simulated),
        goesThrough(tests.business, 'tokenErrors'),
      ),
    );
  }
  return lines;
}

function apps(): string[] {
  const lines = head('Apple’s page', 'endpoint', 'client method', 'simulated', 'tested');
  for (const { title, method, path, client } of appsEndpoints) {
    const simulated = knows(simulator.apps, method, path);
    lines.push(row(title, code(`${method} ${path}`), code(client), mark(simulated), mark(called(tests.apps, client))));
  }
  lines.push('', ...head('number', 'HTTP', '`AdeError` code', 'kind', 'meaning', 'simulated', 'tested'));
  for (const [number, facts] of Object.entries<AppsErrorFacts>(appsErrors)) {
    const status = facts.status === 0 ? 'in events' : String(facts.status);
    const simulated = new RegExp(`\\b${number}\\b`).test(simulator.apps);
    lines.push(
      row(
        number,
        status,
        code(`ade.apps.${facts.name}`),
        facts.kind,
        facts.meaning,
        mark(simulated),
        goesThrough(tests.apps, 'appsErrors'),
      ),
    );
  }
  return lines;
}

/** The page. */
export function renderServices(): string {
  return [
    '# Apple’s services',
    '',
    '<!-- Generated by scripts/apple-services.ts (`npm run services`). Do not edit. -->',
    '',
    'Every endpoint and error of Apple’s documentation that concerns `@espalier/ade`, with the client’s method. *Simulated*: a',
    'simulated service of `@espalier/simulator` answers it by itself; what it does not can be scripted with `respond`. *Tested*: a',
    'test calls the method, or gets the error; the tests go through every error of these lists, in each form of answer.',
    '',
    '## Device enrolment (`createEnrolmentClient`)',
    '',
    ...enrolment(),
    '',
    '## Apple Business and School Manager API (`createBusinessClient`)',
    '',
    ...business(),
    '',
    '## Apps and Books (`createAppsClient`)',
    '',
    ...apps(),
    '',
    '## What is not here',
    '',
    'Apple documents three more services beside these: the Roster API (`api-school.apple.com/rosterapi`), by which apps read rosters',
    'of other organisations that have authorised them; the metadata of apps and books, asked for with a developer’s token; and the',
    'legacy API of Apps and Books (version 1), which Apple replaced by the one above.',
    '',
  ].join('\n');
}

if (import.meta.filename === process.argv[1]) writeFileSync(servicesPage, renderServices());
