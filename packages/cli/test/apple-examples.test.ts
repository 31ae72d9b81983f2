// `espalier lint` on Apple's own example profiles and commands: what each is, is seen; the sound ones pass.
import { expect, test } from 'vitest';
import { deviceCommands } from '../../apple-mdm/test/fixtures/apple/commands-device.ts';
import { profileExamples } from '../../apple-mdm/test/fixtures/apple/profiles.ts';
import { espalier, type Files } from './io.ts';

async function lint(files: Files): Promise<{ code: number; kinds: Set<string> }> {
  const { code, out } = await espalier(['lint', '--json', ...Object.keys(files)], files);
  return { code, kinds: new Set((JSON.parse(out) as { files: { kind: string }[] }).files.map(({ kind }) => kind)) };
}

test('the example profiles that keep to Apple’s schema', async () => {
  const sound = profileExamples.filter(({ findings }) => findings === undefined);
  expect(sound.length).toBeGreaterThan(30);
  const files = Object.fromEntries(sound.map(({ page, bytes }) => [`${page}.mobileconfig`, bytes]));
  expect(await lint(files)).toEqual({ code: 0, kinds: new Set(['profile']) });
});

test('one that does not', async () => {
  const { bytes } = profileExamples.find(({ page }) => page === 'smartcard')!;
  expect(await lint({ 'smartcard.mobileconfig': bytes })).toMatchObject({ code: 1 });
});

test('example commands', async () => {
  const sound = deviceCommands.filter(({ flaw }) => flaw === undefined);
  const files = Object.fromEntries(sound.map(({ page, request }) => [`${page}.plist`, request]));
  expect(await lint(files)).toEqual({ code: 0, kinds: new Set(['command']) });
});
