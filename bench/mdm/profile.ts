// Sums a CPU profile up: self time by place, so that the largest costs have names.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Where a function is: a package's folder, a part of Node.js, the engine itself. */
function areaOf(url: string, functionName: string): string {
  const ours = /packages\/([\w-]+)\/src\/(?:([\w-]+)\/)?([\w-]+)\.ts$/.exec(url);
  if (ours !== null) return `${ours[1]}/${ours[2] === undefined ? '' : `${ours[2]}/`}${ours[3]}`;
  if (url.startsWith('node:')) return url.replace(/^node:(?:internal\/)?/, 'node:');
  const dependency = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url);
  if (dependency !== null) return dependency[1]!;
  return functionName.startsWith('(') ? functionName : 'native';
}

/** Prints, for each profile of a folder, the areas and the functions that took most. */
export function reportProfile(folder: string): void {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'))) {
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
    const self = new Map<number, number>();
    for (const [i, id] of profile.samples.entries()) self.set(id, (self.get(id) ?? 0) + profile.timeDeltas[i]!);
    const areas = new Map<string, number>();
    const functions = new Map<string, number>();
    let busy = 0;
    for (const { id, callFrame } of profile.nodes) {
      const { functionName, url, lineNumber } = callFrame;
      const time = self.get(id) ?? 0;
      if (functionName === '(idle)' || time === 0) continue;
      busy += time;
      const area = areaOf(url, functionName);
      areas.set(area, (areas.get(area) ?? 0) + time);
      const name = `${functionName || '(anonymous)'} ${area}:${lineNumber + 1}`;
      functions.set(name, (functions.get(name) ?? 0) + time);
    }
    const most = (map: ReadonlyMap<string, number>): string =>
      [...map]
        .sort(([, a], [, b]) => b - a)
        .slice(0, 25)
        .map(([name, time]) => `  ${((time / busy) * 100).toFixed(1).padStart(5)} %  ${name}`)
        .join('\n');
    process.stderr.write(`\n${file}: ${Math.round(busy / 1_000)} ms\n${most(areas)}\n\n${most(functions)}\n`);
  }
}
