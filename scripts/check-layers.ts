// `npm run layers`: fails when an import points up, sideways, or at something undeclared.
import { join } from 'node:path';
import { checkLayers } from './layers.ts';

const problems = checkLayers(process.argv[2] ?? join(import.meta.dirname, '..'));
for (const { file, line, specifier, reason } of problems) console.error(`${file}:${line}  ${specifier}  ${reason}`);
if (problems.length > 0) {
  console.error(`\n${problems.length} imports break the floors of docs/architecture.md.`);
  process.exit(1);
}
console.log('layers: every import points down');
