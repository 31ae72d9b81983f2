// `node scripts/sizes.ts [--write]`: what each package weighs in a bundle; --write puts the table into docs/sizes.md.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { FLOORS } from './layers.ts';

const root = join(import.meta.dirname, '..');

/** Sizes in bytes, minified by esbuild. */
export interface Size {
  /** What is imported, e.g. `@espalier/search/sql`. */
  readonly name: string;
  readonly floor: number;
  /** The package's own code. */
  readonly own: number;
  readonly ownGzipped: number;
  /** With every package that it imports. */
  readonly whole: number;
  readonly wholeGzipped: number;
  /** The packages whose code it brings along, the house's own first; what those bring is counted. */
  readonly brings: readonly string[];
}

/** What peers reach for only where it is installed: `pg` has a native client, and one for another runtime. */
const absent = ['pg-native', 'pg-cloudflare', 'cloudflare:sockets'];

async function bundle(name: string, alone: boolean): Promise<{ bytes: Uint8Array; metafile: Metafile }> {
  const own = name.split('/', 2).join('/');
  const result = await build({
    stdin: { contents: `export * from ${JSON.stringify(name)};`, resolveDir: root },
    bundle: true,
    write: false,
    minify: true,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    conditions: ['espalier-source'],
    logLevel: 'silent',
    external: absent,
    plugins: alone
      ? [
          {
            name: 'alone',
            setup(plugin) {
              plugin.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
                kind === 'entry-point' || path === own || path.startsWith(`${own}/`) ? null : { path, external: true },
              );
            },
          },
        ]
      : [],
  });
  return { bytes: result.outputFiles[0]!.contents, metafile: result.metafile };
}

/** The packages that have code in a bundle. */
function packagesOf(metafile: Metafile, own: string): string[] {
  const found = new Set<string>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      if (bytesInOutput === 0) continue;
      const house = /(?:^|\/)packages\/([^/]+)\/src\//.exec(input)?.[1];
      const other = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
      if (house !== undefined) found.add(`@espalier/${house}`);
      else if (other !== undefined) found.add(other);
    }
  }
  found.delete(own);
  const direct = directDependencies();
  const rank = (name: string): number => (name.startsWith('@espalier/') ? 0 : 1);
  const named = [...found].filter((name) => name.startsWith('@espalier/') || direct.has(name));
  named.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const short = named.map((name) => name.replace('@espalier/', ''));
  return found.size === named.length ? short : [...short, `${found.size - named.length} more`];
}

interface Manifest {
  readonly name: string;
  readonly exports: Record<string, unknown>;
  readonly dependencies?: Record<string, string>;
}

function manifests(): { folder: string; manifest: Manifest }[] {
  return readdirSync(join(root, 'packages'))
    .map((folder) => ({ folder, file: join(root, 'packages', folder, 'package.json') }))
    .filter(({ file }) => existsSync(file))
    .map(({ folder, file }) => ({ folder, manifest: JSON.parse(readFileSync(file, 'utf8')) as Manifest }));
}

/** What the packages ask for themselves; the rest comes with those. */
function directDependencies(): Set<string> {
  return new Set(manifests().flatMap(({ manifest }) => Object.keys(manifest.dependencies ?? {})));
}

/** Every import that a user may write: each package's exports, floor by floor. */
function imports(): { name: string; floor: number }[] {
  const found = manifests().flatMap(({ folder, manifest }) =>
    Object.keys(manifest.exports)
      .filter((path) => path !== './package.json')
      .map((path) => ({ name: `${manifest.name}${path.slice(1)}`, floor: FLOORS[folder] ?? Number.NaN })),
  );
  return found.sort((a, b) => a.floor - b.floor || (a.name < b.name ? -1 : 1));
}

/** Measures every import of every package, from the sources. */
export async function measureSizes(): Promise<Size[]> {
  const sizes: Size[] = [];
  for (const { name, floor } of imports()) {
    const own = await bundle(name, true);
    const whole = await bundle(name, false);
    sizes.push({
      name,
      floor,
      own: own.bytes.length,
      ownGzipped: gzipSync(own.bytes, { level: 9 }).length,
      whole: whole.bytes.length,
      wholeGzipped: gzipSync(whole.bytes, { level: 9 }).length,
      brings: packagesOf(whole.metafile, name.split('/', 2).join('/')),
    });
  }
  return sizes;
}

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1);
const head = ['import', 'floor', 'own', 'gzipped', 'whole', 'gzipped', 'brings along'];

/** The table as it stands in docs/sizes.md. */
export function sizesTable(sizes: readonly Size[]): string {
  const rows = sizes.map((size) => [
    `\`${size.name}\``,
    String(size.floor),
    kilobytes(size.own),
    kilobytes(size.ownGzipped),
    kilobytes(size.whole),
    kilobytes(size.wholeGzipped),
    size.brings.join(', ') || '-',
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const numeric = (column: number): boolean => column > 0 && column < head.length - 1;
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, i) => (numeric(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)));
    return `| ${padded.join(' | ')} |`;
  };
  const rule = widths.map((width, i) => (numeric(i) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** Reads the table of a page back: sizes to a tenth of a kilobyte. */
export function readSizesTable(page: string): Size[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const cells = line.split('|').map((cell) => cell.trim());
      const [, name = '', floor, own, ownGzipped, whole, wholeGzipped, brings = ''] = cells;
      const bytes = (cell: string | undefined): number => Math.round(Number(cell) * 1000);
      return {
        name: name.replaceAll('`', ''),
        floor: Number(floor),
        own: bytes(own),
        ownGzipped: bytes(ownGzipped),
        whole: bytes(whole),
        wholeGzipped: bytes(wholeGzipped),
        brings: brings === '-' ? [] : brings.split(', '),
      };
    });
}

/** Where the table is. */
export const sizesPage = join(root, 'docs/sizes.md');

const marks = ['<!-- sizes -->', '<!-- /sizes -->'] as const;

if (process.argv[1] === import.meta.filename) {
  const table = sizesTable(await measureSizes());
  if (process.argv.includes('--write')) {
    const page = readFileSync(sizesPage, 'utf8');
    const [before = ''] = page.split(marks[0]);
    const after = page.split(marks[1])[1] ?? '';
    writeFileSync(sizesPage, `${before}${marks[0]}\n\n${table}\n\n${marks[1]}${after}`);
  } else console.log(table);
}
