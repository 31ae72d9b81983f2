// `npm run schema -- [--check] DIR…`: writes, or checks, the catalogue generated from levels of Apple's schema.
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { differences } from './schema/check.ts';
import { generate } from './schema/generate.ts';

const usage = `usage: npm run schema -- [--check] [--out DIR] DIR…

DIR     a level of Apple's schema; several lie on top of each other, oldest first
--check compare with the committed files, write nothing; exit 1 when they differ
--out   where the files are (default packages/apple-mdm/src/generated)`;

function fail(message: string): never {
  console.error(`${message}\n\n${usage}`);
  process.exit(2);
}

function readCommitted(folder: string): Map<string, string> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean' }, out: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}
if (positionals.length === 0) fail('no level given');
for (const folder of positionals) {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) fail(`${folder} is not a folder`);
}
const out = values.out ?? join(import.meta.dirname, '../packages/apple-mdm/src/generated');
const files = generate(positionals);
mkdirSync(out, { recursive: true });
if (values.check) {
  const report = differences(readCommitted(out), files);
  for (const line of report) console.error(line);
  if (report.length > 0) {
    console.error(
      '\nThe committed facts are not what the generator writes. Run it without --check and commit the result.',
    );
    process.exit(1);
  }
  console.log(`${files.size} files are what the generator writes`);
} else {
  for (const [name, text] of files) writeFileSync(join(out, name), text);
  for (const name of readdirSync(out)) if (!files.has(name)) rmSync(join(out, name));
  console.log(`wrote ${files.size} files to ${out}`);
}
