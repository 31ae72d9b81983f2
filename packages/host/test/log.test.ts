// The logger keeps secrets to itself.
import { expect, it } from 'vitest';
import { createLogger } from '../src/index.ts';

it('says why something failed, with its causes', () => {
  const lines: string[] = [];
  const logger = createLogger({ destination: { write: (line: string) => void lines.push(line) } });
  const error = Object.assign(new Error('the job failed', { cause: new Error('no database') }), {
    code: 'core.store.unavailable',
    password: 'hunter2',
  });
  for (const name of ['error', 'err']) {
    logger.error({ [name]: error, loop: 'notifier' }, 'a background job failed');
    const line = lines.at(-1)!;
    expect(JSON.parse(line)[name]).toMatchObject({ message: 'the job failed: no database', code: error.code });
    expect(JSON.parse(line)[name].stack).toContain('log.test.ts');
    expect(line).not.toContain('hunter2');
  }
});

it('redacts the fields that may hold secrets, at the top and one level down', () => {
  const lines: string[] = [];
  const logger = createLogger({ destination: { write: (line: string) => void lines.push(line) } });
  const secret = 'hunter2';
  for (const name of [
    'token',
    'pin',
    'challenge',
    'password',
    'privateKey',
    'authorization',
    'cookie',
    'pushMagic',
    'unlockToken',
  ]) {
    logger.info({ [name]: secret, inner: { [name]: secret }, code: 'host.kept' }, 'said');
  }
  expect(lines).toHaveLength(9);
  for (const line of lines) {
    expect(line).not.toContain(secret);
    expect(JSON.parse(line)).toMatchObject({ code: 'host.kept', msg: 'said' });
  }
  logger.debug({}, 'not at this level');
  expect(lines).toHaveLength(9);
});
