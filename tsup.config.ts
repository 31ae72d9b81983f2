// One build recipe for every package: JavaScript from tsup; the declarations come from `tsc -b` (see scripts/build.ts).
import { existsSync } from 'node:fs';
import { defineConfig } from 'tsup';

const entry: Record<string, string> = { index: 'src/index.ts' };
if (existsSync('src/contract/index.ts')) entry['contract/index'] = 'src/contract/index.ts';
if (existsSync('src/catalogue.ts')) for (const name of ['catalogue', 'builder', 'sql']) entry[name] = `src/${name}.ts`;
if (existsSync('src/main.ts')) entry['main'] = 'src/main.ts';
for (const name of ['node', 'express', 'koa']) {
  if (existsSync(`src/${name}.ts`)) entry[name] = `src/${name}.ts`;
}

export default defineConfig({
  entry,
  format: ['esm'],
  target: 'node22',
  platform: 'neutral',
  // `node:sqlite` exists only under that name.
  removeNodeProtocol: false,
  external: [/^node:/],
  sourcemap: true,
  splitting: true,
  clean: false,
  dts: false,
  silent: true,
});
