// `espalier simulate`: a fleet enrols with a server that shares no code with the host, polls, and tells how it went.
import { fromPem, toPem, verifyCms, verifyTrust } from '@espalier/pki';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMdm, type TestMdm } from '../../simulator/test/server.ts';
import { createLiveTable, showTable } from '../src/simulate/show.ts';
import { espalier } from './io.ts';

let mdm: TestMdm;
beforeAll(async () => {
  mdm = await startMdm();
});
afterAll(() => mdm.close());

const real = { now: () => Date.now() };
const simulate = (args: readonly string[], more: Parameters<typeof espalier>[2] = real) =>
  espalier(['simulate', '--ca', 'ca.pem', ...args], { 'ca.pem': toPem(mdm.root) }, more);

describe('simulate', () => {
  test('enrols a fleet over TLS, polls, and gives the figures as JSON', async () => {
    const before = mdm.issued().length;
    const { code, out, err } = await simulate(
      ['--enroll', `${mdm.url}/enrol`, '--devices', '6', '--rounds', '2', '--interval', '0', '--check-out', '--json'],
      real,
    );
    expect([code, err]).toEqual([0, '']);
    const figures = JSON.parse(out);
    expect(figures).toMatchObject({ devices: 6, enrolled: 6, failed: 0, sessions: { idle: 12 }, ended: 'done' });
    expect(figures.requests['token-update'].count).toBe(6);
    expect(figures.requests['check-out'].count).toBe(6);
    expect(mdm.issued()).toHaveLength(before + 6);
  });

  test('answers what the server has queued, and says so in the table', async () => {
    mdm.intercept = (request) => {
      const udid = request.message?.['UDID'];
      if (request.path === '/checkin' && request.message?.['MessageType'] === 'TokenUpdate') {
        mdm.enqueue(String(udid), { RequestType: 'SecurityInfo' });
      }
      return undefined;
    };
    const args = ['--enroll', `${mdm.url}/enrol`, '--devices', '2', '--rounds', '1', '--seed', 'b', '--mix', 'Mac'];
    const { code, out } = await simulate(args);
    mdm.intercept = undefined;
    expect(code).toBe(0);
    expect(out).toMatch(/done\nenrolled +2 of 2\nsessions +idle 2\ncommands +Acknowledged 2/);
    expect(out).toMatch(/request +count +p50 +p95 +longest/);
    expect(out).not.toContain('\u001b');
  });

  test('exits with 1, and with the reasons, when devices cannot enrol', async () => {
    const { code, out } = await simulate(['--enroll', `${mdm.url}/nothing`, '--devices', '3', '--rounds', '1']);
    expect(code).toBe(1);
    expect(out).toContain('0 of 3, 3 failed');
    expect(out).toMatch(/3 +the server answered HTTP 404 for the profile/);
  });

  test('ends well at Ctrl-C: nobody begins anew, and the devices leave', async () => {
    let interrupt = (): void => {};
    let stopped = false;
    const running = simulate(
      ['--enroll', `${mdm.url}/enrol`, '--devices', '2', '--interval', '3600', '--check-out', '--json', '--seed', 'c'],
      {
        ...real,
        onInterrupt(listener) {
          interrupt = listener;
          return () => {
            stopped = true;
          };
        },
      },
    );
    const said = () => mdm.arrived.filter(({ message }) => message?.['Status'] === 'Idle').length;
    const before = said();
    await expect.poll(said).toBe(before + 2);
    interrupt();
    const { code, out } = await running;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ enrolled: 2, ended: 'interrupted', sessions: { idle: 2 } });
    expect(stopped).toBe(true);
    expect(mdm.arrived.slice(-2).map(({ message }) => message?.['MessageType'])).toEqual(['CheckOut', 'CheckOut']);
  });

  test('is over when the time is, whatever the server does', async () => {
    let time = 0;
    const hanging = simulate(
      ['--enroll', `${mdm.url}/enrol`, '--devices', '1', '--seconds', '30', '--interval', '10', '--json'],
      {
        now: () => time,
        sleep: async (ms) => {
          await new Promise((resolve) => setImmediate(resolve));
          time += ms;
        },
      },
    );
    const { out } = await hanging;
    expect(JSON.parse(out)).toMatchObject({ ended: 'time' });
  });

  test('draws on a terminal over what it has drawn', async () => {
    const run = simulate(['--enroll', `${mdm.url}/nothing`, '--devices', '1', '--rounds', '1'], {
      ...real,
      terminal: true,
      every(_ms, task) {
        task();
        return () => {};
      },
    });
    const { bytes, out } = await run;
    expect(out).toBe('');
    const [first, second] = Buffer.from(bytes).toString().split('\u001b[4A\u001b[J');
    expect(first).toMatch(/^0 s +running\n/);
    expect(second).toMatch(/^0 s +done\n/);
  });

  test.each([
    [[]],
    [['--enroll', 'x.mobileconfig', 'more']],
    [['--enroll', 'no-such-file']],
    [['--enroll', 'http://x/', '--devices', '0']],
    [['--enroll', 'http://x/', '--devices', '1.5']],
    [['--enroll', 'http://x/', '--devices', '']],
    [['--enroll', 'http://x/', '--mix', 'iPod=1']],
    [['--enroll', 'http://x/', '--faults', '0.9']],
  ])('refuses %j', async (args) => {
    expect((await simulate(args)).code).toBe(2);
  });
});

describe('the table', () => {
  test('fits the terminal', () => {
    const figures = {
      devices: 1000,
      enrolled: 990,
      failed: 10,
      sessions: { idle: 5000 },
      commands: { Acknowledged: 12345, NotNow: 2 },
      requests: { idle: { count: 5000, p50: 1.25, p95: 40, max: 1200 } },
      problems: { 'the server answered HTTP 503': 10 },
      seconds: 12.3,
    };
    const text = showTable(figures, 60);
    expect(text.split('\n').every((line) => line.length <= 60)).toBe(true);
    expect(text).toBe(
      [
        '12 s      running',
        'enrolled  990 of 1,000, 10 failed',
        'sessions  idle 5,000',
        'commands  Acknowledged 12,345, NotNow 2',
        '',
        'request  count  p50  p95  longest',
        'idle     5,000  1.3  40   1,200 ms',
        '',
        'problems',
        '10        the server answered HTTP 503',
      ].join('\n'),
    );
  });

  test('goes up as many lines as it had', () => {
    const written: string[] = [];
    const draw = createLiveTable((text) => written.push(text));
    draw('a\nb');
    draw('c');
    draw('d');
    expect(written).toEqual(['a\nb\n', '\u001b[2A\u001b[Jc\n', '\u001b[1A\u001b[Jd\n']);
  });
});

describe('simulate --enrol-type', () => {
  const profile = { 'content-type': 'application/x-apple-aspen-config' };
  const capabilities = { ServerCapabilities: ['com.apple.mdm.per-user-connections'] };

  test('ade: with an authority that the server trusts, Shared iPads, and users who log in', async () => {
    const asked: Buffer[] = [];
    mdm.intercept = ({ path, body }) => {
      if (path !== '/ade') return undefined;
      asked.push(body);
      return { status: 200, headers: profile, body: mdm.profile(capabilities) };
    };
    const args = ['--enrol-type', 'ade', '--enroll', `${mdm.url}/ade`, '--shared', '--log-in', '--await', '--json'];
    const rest = ['--devices', '2', '--mix', 'iPad=1,Mac=1', '--rounds', '1', '--seed', 'ade'];
    const first = await simulate([...args, ...rest, '--new-device-ca', 'device.pem']);
    expect([first.code, first.err]).toEqual([0, '']);
    // Two devices and two users, each with a session.
    expect(JSON.parse(first.out)).toMatchObject({
      enrolled: 2,
      sessions: { idle: 4 },
      requests: { 'token-update': { count: 4 } },
    });
    const pem = new TextDecoder().decode(first.written.get('device.pem'));
    const again = await espalier(
      ['simulate', '--ca', 'ca.pem', ...args, ...rest, '--seed', 'other', '--device-ca', 'device.pem'],
      { 'ca.pem': toPem(mdm.root), 'device.pem': pem },
      real,
    );
    mdm.intercept = undefined;
    expect(again.code).toBe(0);
    expect(asked).toHaveLength(4);
    for (const body of asked) {
      verifyTrust(verifyCms(body).signer, { anchors: [fromPem(pem, 'CERTIFICATE')], now: Date.now() });
    }
  });

  test('account: each device has a user of its own, who signs in', async () => {
    const seen: string[] = [];
    mdm.intercept = ({ path, method, headers, body }) => {
      const url = new URL(path, mdm.url);
      if (url.pathname.startsWith('/.well-known')) {
        return {
          status: 200,
          body: JSON.stringify({ Servers: [{ Version: 'mdm-adde', BaseURL: `${mdm.url}/account` }] }),
        };
      }
      if (url.pathname === '/page' && method === 'GET') {
        return {
          status: 200,
          body: '<form method="post"><input type="email" name="u"><input type="password" name="p"></form>',
        };
      }
      if (url.pathname === '/page') {
        const form = new URLSearchParams(body.toString());
        seen.push(`${form.get('u')} ${form.get('p')}`);
        return {
          status: 308,
          headers: { location: 'apple-remotemanagement-user-login://authentication-results?access-token=T' },
        };
      }
      if (url.pathname !== '/account') return undefined;
      if (headers.authorization === undefined) {
        return { status: 401, headers: { 'www-authenticate': `Bearer method="apple-as-web", url="${mdm.url}/page"` } };
      }
      const changes = { EnrollmentMode: 'ADDE', AssignedManagedAppleID: 'x@example.com' };
      return { status: 200, headers: profile, body: mdm.profile(changes) };
    };
    const { code, out } = await espalier(
      [
        ...['simulate', '--ca', 'ca.pem', '--enrol-type', 'account', '--enroll', mdm.url, '--user', 'u{n}@example.com'],
        ...['--password-file', 'password', '--devices', '3', '--rounds', '1', '--json', '--seed', 'account'],
      ],
      { 'ca.pem': toPem(mdm.root), password: 'secret\n' },
      real,
    );
    mdm.intercept = undefined;
    expect([code, JSON.parse(out).enrolled]).toEqual([0, 3]);
    expect(seen.sort()).toEqual([1, 2, 3].map((n) => `u${n}@example.com secret`));
  });

  test.each([
    [['--enrol-type', 'magic', '--enroll', 'https://x.example'], 'one of profile, ade'],
    [['--enrol-type', 'account'], '--user'],
    [['--enrol-type', 'ade'], '--enroll'],
    [['--enrol-type', 'ade', '--enroll', 'file.mobileconfig'], 'an address'],
    [['--enroll', 'https://x.example', '--shared'], '--shared'],
  ])('%j is wrong usage', async (args, text) => {
    const { code, err } = await simulate(args);
    expect(code).toBe(2);
    expect(err).toContain(text);
  });
});
