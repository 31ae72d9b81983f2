// `node scripts/schema.ts [--check] DIR…`: writes (or checks) the catalogue generated from levels of Apple's schema.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLevels } from './schema/read.ts';
import { writeTypes } from './schema/types.ts';

const out = join(import.meta.dirname, '../packages/apple-mdm/src/generated');
const args = process.argv.slice(2);
const folders = args.filter((arg) => !arg.startsWith('--'));
if (folders.length === 0) {
  console.error('usage: npm run schema -- [--check] DIR…   (levels of the schema, oldest first)');
  process.exit(2);
}
const catalogue = readLevels(folders);
const files = new Map([...writeTypes(catalogue)]);
mkdirSync(out, { recursive: true });
for (const [name, text] of files) writeFileSync(join(out, name), text);
for (const name of readdirSync(out)) if (!files.has(name)) rmSync(join(out, name));
void readFileSync;
