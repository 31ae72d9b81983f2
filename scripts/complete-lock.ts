// `npm run lock`: completes package-lock.json for every platform. npm leaves out the platform packages that it did not
// install itself, and then `npm ci` refuses the lock file, or leaves another platform without its binary.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the lock file says of one package. */
export interface Locked {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
  'windows',
];
const processors = ['arm64', 'x64', 'ia32', 'arm', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32'];

/** The entries that are missing, by their place in the lock file. Only exact versions can be completed. */
export function missingEntries(packages: Readonly<Record<string, Locked>>): Map<string, Locked> {
  const missing = new Map<string, Locked>();
  for (const [place, locked] of Object.entries(packages)) {
    if (!place.includes('node_modules/')) continue;
    for (const [name, range] of Object.entries(locked.optionalDependencies ?? {})) {
      const near = `${place}/node_modules/${name}`;
      const top = `node_modules/${name}`;
      const version = /^[\^~]?(\d[^ |<>*]*)$/.exec(range)?.[1];
      const words = name.split(/[/-]/);
      const os = words.find((word) => systems.includes(word));
      if (packages[near] || packages[top] || missing.has(top) || version === undefined || os === undefined) continue;
      const cpu = words.find((word) => processors.includes(word));
      const libc = words.some((word) => word.startsWith('musl')) ? 'musl' : words.includes('gnu') ? 'glibc' : undefined;
      missing.set(top, {
        version,
        ...(cpu === undefined ? {} : { cpu: [cpu] }),
        ...(locked.dev ? { dev: true } : {}),
        ...(os === 'linux' && libc !== undefined ? { libc: [libc] } : {}),
        optional: true,
        os: [os === 'windows' ? 'win32' : os],
      });
    }
  }
  return missing;
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '../package-lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Locked> };
  const missing = missingEntries(lock.packages);
  for (const [place, locked] of missing) lock.packages[place] = locked;
  const root = lock.packages[''];
  const rest = Object.entries(lock.packages).filter(([place]) => place !== '');
  rest.sort(([a], [b]) => (a < b ? -1 : 1));
  lock.packages = Object.fromEntries([['', root as Locked], ...rest]);
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${missing.size} platform packages added`);
}
