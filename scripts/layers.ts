// The floors of the house, and the check that imports only point down (docs/architecture.md).
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseSync } from 'oxc-parser';

/** Which floor each package stands on. Examples stand on floor 4. */
export const FLOORS: Readonly<Record<string, number>> = {
  plist: 0,
  search: 0,
  'apple-mdm': 1,
  pki: 1,
  core: 2,
  policy: 2,
  ade: 2,
  host: 3,
  simulator: 3,
  sqlite: 3,
  postgres: 3,
  cli: 3,
};

/** Packages of their own floor that a package may use all the same, with the reason. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // The command line opens any store and drives simulated devices; nothing imports it.
  cli: ['sqlite', 'postgres', 'simulator', 'host'],
};

/** One import that breaks a rule. */
export interface LayerProblem {
  readonly file: string;
  readonly line: number;
  readonly specifier: string;
  readonly reason: string;
}

/** Checks every source file below `root/packages/*` `/src`; an empty list means that the house stands. */
export function checkLayers(root: string): LayerProblem[] {
  const problems: LayerProblem[] = [];
  for (const name of readdirSync(join(root, 'packages'))) {
    const folder = join(root, 'packages', name);
    const floor = FLOORS[name];
    if (floor === undefined) {
      problems.push({
        file: `packages/${name}`,
        line: 0,
        specifier: '',
        reason: 'the package has no floor in scripts/layers.ts',
      });
      continue;
    }
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    const declared = new Set([
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.peerDependencies ?? {}),
      ...Object.keys(manifest.optionalDependencies ?? {}),
    ]);
    for (const dependency of declared) {
      const reason = floorProblem(name, floor, dependency);
      if (reason) problems.push({ file: `packages/${name}/package.json`, line: 0, specifier: dependency, reason });
    }
    for (const file of sources(join(folder, 'src'))) {
      for (const { specifier, line } of importsOf(file)) {
        const reason = importProblem(name, floor, declared, folder, file, specifier);
        if (reason) problems.push({ file: relative(root, file), line, specifier, reason });
      }
    }
  }
  return problems;
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function importProblem(
  name: string,
  floor: number,
  declared: ReadonlySet<string>,
  folder: string,
  file: string,
  specifier: string,
): string | null {
  if (specifier.startsWith('node:')) return null;
  if (specifier.startsWith('.')) {
    const target = join(file, '..', specifier);
    return relative(join(folder, 'src'), target).startsWith('..') ? 'a relative import leaves its package' : null;
  }
  const dependency = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const problem = floorProblem(name, floor, dependency);
  if (problem) return problem;
  return declared.has(dependency) || dependency === `@espalier/${name}`
    ? null
    : 'not among the dependencies of its package.json';
}

function floorProblem(name: string, floor: number, dependency: string): string | null {
  if (!dependency.startsWith('@espalier/')) return null;
  const other = dependency.slice('@espalier/'.length);
  if (other === name) return null;
  const below = FLOORS[other];
  if (below === undefined) return `${other} has no floor`;
  if (below < floor || ALLOWED[name]?.includes(other)) return null;
  return below === floor
    ? `${name} and ${other} stand on the same floor (${floor})`
    : `${name} (floor ${floor}) imports ${other} (floor ${below}) above it`;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))
    .filter((file) => statSync(file).isFile());
}

/** Every module that a file imports or re-exports, types included. */
export function importsOf(file: string): { specifier: string; line: number }[] {
  const text = readFileSync(file, 'utf8');
  const { module } = parseSync(file, text);
  const found = [
    ...module.staticImports.map((item) => ({ specifier: item.moduleRequest.value, start: item.start })),
    ...module.staticExports.flatMap((item) =>
      item.entries.flatMap((entry) =>
        entry.moduleRequest ? [{ specifier: entry.moduleRequest.value, start: item.start }] : [],
      ),
    ),
    ...module.dynamicImports.flatMap((item) => {
      const quoted = text.slice(item.moduleRequest.start, item.moduleRequest.end);
      return /^(['"]).*\1$/.test(quoted) ? [{ specifier: quoted.slice(1, -1), start: item.start }] : [];
    }),
  ];
  return found.map(({ specifier, start }) => ({ specifier, line: text.slice(0, start).split('\n').length }));
}
