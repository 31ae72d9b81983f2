// SIGKILL under load, at random points: no acknowledged result is lost, no queued command is lost, and nothing is offered
// after it was acknowledged. 20 rounds; 200 with ESPALIER_NIGHTLY=1.
import { spawn } from 'node:child_process';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { openSqliteStore } from '../src/index.ts';
import { enrol, temporaryFolder } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const rounds = process.env['ESPALIER_NIGHTLY'] === '1' ? 200 : 20;
const child = fileURLToPath(new URL('./crash-child.ts', import.meta.url));

/** Runs the child and kills it after it said so many lines; gives what it said. */
function runAndKill(file: string, round: number, lines: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const run = spawn(
      process.execPath,
      ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', child, file, String(round)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    let count = 0;
    run.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      for (const byte of chunk) if (byte === 10) count++;
      if (count >= lines) run.kill('SIGKILL');
    });
    run.on('error', reject);
    // A last line without its end was cut off by the kill: it was not said.
    run.on('close', () => resolve(said.slice(0, said.lastIndexOf('\n')).split('\n')));
  });
}

it(
  `loses nothing over ${rounds} kills`,
  async () => {
    const file = folder.file('crash.db');
    const store = openSqliteStore(file, { durability: 'normal' });
    for (let i = 0; i < 8; i++) await enrol(store, `D${i}`);
    await store.close();
    let random = 12345;
    const acknowledged = new Set<string>();
    const queued = new Map<string, string>();
    for (let round = 0; round < rounds; round++) {
      random = (Math.imul(random, 1103515245) + 12345) >>> 0;
      for (const line of await runAndKill(file, round, 20 + (random % 700))) {
        const [what, id = '', uuid = ''] = line.split(' ');
        if (what === 'queued') queued.set(uuid, id);
        if (what === 'offered')
          expect(acknowledged.has(uuid), `${uuid} was offered after it was acknowledged`).toBe(false);
        if (what === 'acknowledged') acknowledged.add(uuid);
      }
      const db = new DatabaseSync(file);
      expect(db.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      db.close();
    }
    expect(acknowledged.size).toBeGreaterThan(rounds);
    const after = openSqliteStore(file);
    for (const [uuid, id] of queued) {
      const entry = await after.queue.get(id, uuid);
      if (acknowledged.has(uuid)) expect(entry?.state).toBe('acknowledged');
      else expect(['queued', 'sent', 'acknowledged']).toContain(entry?.state);
    }
    await after.close();
  },
  120_000 + rounds * 5_000,
);
