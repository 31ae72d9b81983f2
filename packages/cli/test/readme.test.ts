// The examples of the README: the command lines, what `lint` prints, and the use as a library.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeXml } from '@espalier/plist';
import { expect, test } from 'vitest';
import { espalier } from './io.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const blocks = [...readme.matchAll(/```(\w*)\n([\s\S]*?)```/g)].map(([, language, text]) => ({
  language,
  text: text!,
}));

const profile = (wifi: object): Uint8Array => {
  const common = (n: number) => ({
    PayloadVersion: 1,
    PayloadIdentifier: `com.example.${n}`,
    PayloadUUID: `00000000-0000-4000-8000-00000000000${n}`,
  });
  const payload = { PayloadType: 'com.apple.wifi.managed', ...common(1), ...wifi };
  return encodeXml({ PayloadType: 'Configuration', ...common(0), PayloadContent: [payload] });
};
const good = profile({ SSID_STR: 'Lobby', EncryptionType: 'WPA3' });

test('there are three: commands, an output, a program', () => {
  expect(blocks.map((block) => block.language)).toEqual(['', '', 'ts']);
});

test('the command lines', async () => {
  const lines = blocks[0]!.text.trim().split('\n');
  expect(lines).toHaveLength(5);
  const files = { 'office.mobileconfig': good, 'TokenUpdate.plist': encodeXml({ MessageType: 'TokenUpdate' }) };
  for (const line of lines) {
    // As a shell splits it: at spaces, but not within single quotes.
    const [npx, name, ...args] = [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
    expect([npx, name]).toEqual(['npx', 'espalier']);
    const { code, out, err } = await espalier(args, files);
    expect([code, err], line).toEqual([0, '']);
    expect(out, line).not.toBe('');
  }
});

test('what lint prints', async () => {
  const bad = profile({ SSID_STR: 'x', EncryptionType: 'WPA4', SSID: 'x' });
  const { code, out } = await espalier(['lint', 'bad.mobileconfig'], { 'bad.mobileconfig': bad });
  expect(code).toBe(1);
  expect(`${out}\n`).toBe(blocks[1]!.text);
});

test('the library', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-cli-'));
  try {
    const script = blocks[2]!.text.replace(
      "'office.mobileconfig'",
      JSON.stringify(join(folder, 'office.mobileconfig')),
    );
    expect(script).not.toBe(blocks[2]!.text);
    writeFileSync(join(folder, 'office.mobileconfig'), good);
    const flags = ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning', '--input-type=module'];
    const cwd = new URL('..', import.meta.url);
    const out = execFileSync(process.execPath, [...flags, '-e', script], { cwd, encoding: 'utf8' });
    expect(out).toContain('office.mobileconfig (profile): no issues');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
