// One build recipe for every package: JavaScript from tsup; the declarations come from `tsc -b` (see scripts/build.ts).
import { existsSync, readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

// What a package exports (and the command line's main file, which `bin` loads) is what is built.
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: Record<string, { 'espalier-source': string }>;
};
const sources = Object.values(manifest.exports).map((target) => target['espalier-source']);
if (existsSync('src/main.ts')) sources.push('./src/main.ts');

export default defineConfig({
  entry: Object.fromEntries(sources.map((source) => [source.slice('./src/'.length, -'.ts'.length), source])),
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
