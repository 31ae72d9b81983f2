// docs/apple-services.md is what the code's lists say, and the lists leave out nothing that the client has.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderServices, servicesPage } from '../scripts/apple-services.ts';

const page = renderServices();
const rows = page.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| ---'));

test('docs/apple-services.md is up to date', () => {
  expect(readFileSync(servicesPage, 'utf8'), 'run `npm run services`').toBe(page);
});

test('every endpoint that the clients have is simulated and tested', () => {
  const endpoints = rows.filter((line) => /\| `(?:GET|POST|PATCH|DELETE) \//.test(line));
  expect(endpoints.length).toBeGreaterThan(105);
  expect(endpoints.filter((line) => !line.endsWith('| yes | yes |'))).toEqual([]);
});

test('every error is tested, and of device enrolment simulated', () => {
  const errors = rows.filter((line) => /\| `ade\.[a-z]+\./.test(line));
  expect(errors.length).toBeGreaterThan(80);
  expect(errors.filter((line) => !line.endsWith('| yes |'))).toEqual([]);
  expect(errors.filter((line) => line.includes('`ade.enrolment.') && !line.endsWith('| yes | yes |'))).toEqual([]);
});
