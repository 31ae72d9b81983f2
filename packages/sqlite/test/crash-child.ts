// A process under load, to be killed: devices poll, acknowledge and get new commands; what it was told is committed goes
// to standard output, one line each, before the next step.
import { writeSync } from 'node:fs';
import { openSqliteStore } from '../src/index.ts';
import { backoff, command, T0 } from './support.ts';

const [file = '', round = '0'] = process.argv.slice(2);
const store = openSqliteStore(file, { durability: 'normal' });
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

async function device(id: string): Promise<void> {
  for (let i = 0; ; i++) {
    const uuid = `${round}-${id}-${i}`;
    await store.queue.enqueue({ commands: [command(uuid)], enrolmentIds: [id], at: T0, events: [] });
    say(`queued ${id} ${uuid}`);
    let outcome = await store.queue.poll({ enrolmentId: id, certificateFingerprint: id, at: T0, backoff });
    while (outcome.outcome === 'ok' && outcome.command !== null) {
      const { commandUuid } = outcome.command;
      say(`offered ${id} ${commandUuid}`);
      outcome = await store.queue.poll({
        enrolmentId: id,
        certificateFingerprint: id,
        at: T0,
        backoff,
        result: { commandUuid, status: 'acknowledged', response: null, errorChain: [], event: null },
      });
      say(`acknowledged ${id} ${commandUuid}`);
    }
  }
}

say('ready');
await Promise.all(Array.from({ length: 8 }, (_, i) => device(`D${i}`)));
