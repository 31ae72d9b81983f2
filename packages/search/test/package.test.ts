// The package as it is published: size, entries, and life in a browser.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';

const source = (name: string): string => fileURLToPath(new URL(`../src/${name}`, import.meta.url));

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    write: false,
  });
  return outputFiles[0]!.text;
}

test('without the catalogue the package is under 15 KB minified and gzipped', async () => {
  const size = async (name: string): Promise<number> => gzipSync(await bundle(source(name)), { level: 9 }).length;
  expect(await size('index.ts')).toBeLessThan(15_000);
  expect(await size('sql.ts')).toBeLessThan(15_000);
  expect(await size('builder.ts')).toBeLessThan(15_000);
});

test('nothing of the catalogue is in the other entries, and there are no dependencies', async () => {
  for (const name of ['index.ts', 'sql.ts', 'builder.ts'])
    expect(await bundle(source(name))).not.toContain('Battery Level');
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Record<
    string,
    object
  >;
  expect(manifest['dependencies'] ?? {}).toEqual({});
  for (const [path, target] of Object.entries(manifest['exports'] as Record<string, Record<string, string>>)) {
    expect(existsSync(new URL(`../${target['espalier-source']}`, import.meta.url)), path).toBe(true);
  }
});

const CHROMIUM = '/usr/bin/chromium';
const absent = existsSync(CHROMIUM) ? null : `${CHROMIUM} is not installed`;
if (absent !== null && process.env['CI'] !== 'true') console.warn(`The test in a browser is skipped: ${absent}`);

test.skipIf(absent !== null && process.env['CI'] !== 'true')(
  'parser, completion and evaluator run in a plain page',
  { timeout: 120_000 },
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'espalier-search-page-'));
    const entry = join(directory, 'page.ts');
    writeFileSync(
      entry,
      `export { parse, parseTolerant, print, complete, compile } from ${JSON.stringify(source('index.ts'))};
     export { catalogue } from ${JSON.stringify(source('catalogue.ts'))};`,
    );
    const script = await bundle(entry);
    // No inline code and no eval: what a strict page allows is enough.
    const policy = "default-src 'none'; script-src 'self'";
    const page = `<!doctype html><title>search</title><input id="box"><ul id="list"></ul><output id="out"></output>
    <script type="module" src="/form.js"></script>`;
    const form = `import { parse, parseTolerant, print, complete, compile, catalogue } from '/search.js';
    const box = document.querySelector('#box');
    box.addEventListener('input', () => {
      const { items } = complete(box.value, box.selectionStart, catalogue);
      document.querySelector('#list').replaceChildren(...items.map((i) => Object.assign(document.createElement('li'), { textContent: i.label })));
      const { ok, diagnostics } = parseTolerant(box.value);
      const devices = [{ 'common.platform': 'iOS' }, { 'common.platform': 'macOS' }, {}];
      document.querySelector('#out').textContent = ok
        ? print(parse(box.value)) + ' -> ' + devices.filter((d) => compile(parse(box.value), { catalogue })(d, Date.now())).length
        : diagnostics[0].message;
    });
    document.title = 'ready';`;
    const server = createServer((request, response) => {
      const bodies: Record<string, [string, string]> = {
        '/': ['text/html; charset=utf-8', page],
        '/form.js': ['text/javascript; charset=utf-8', form],
        '/search.js': ['text/javascript; charset=utf-8', script],
      };
      const [type, body] = bodies[request.url ?? ''] ?? ['text/plain', ''];
      response.writeHead(200, { 'content-type': type, 'content-security-policy': policy }).end(body);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    try {
      const tab = await browser.newPage();
      const errors: string[] = [];
      tab.on('pageerror', (error) => errors.push(error.message));
      await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await tab.waitForFunction("document.title === 'ready'");
      const output = (): Promise<string | null> => tab.textContent('#out');
      await tab.fill('#box', '"common.platf');
      expect(await tab.textContent('#list li')).toBe('common.platform');
      expect(await output()).toBe('the closing double quote is missing');
      await tab.fill('#box', 'common.platform equals "IOS"');
      expect(await output()).toBe('"common.platform" = "IOS" -> 1');
      await tab.fill('#box', 'not common.platform = "ios"');
      expect(await output()).toBe('NOT "common.platform" = "ios" -> 2');
      await tab.fill('#box', 'common.platform in ("iOS", "macos")');
      expect(await output()).toBe('"common.platform" in ("iOS", "macos") -> 2');
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
      await new Promise((done) => server.close(done));
      rmSync(directory, { recursive: true, force: true });
    }
  },
);

test('the documented entries are those of the package', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const manifest = createRequire(import.meta.url)('../package.json') as { exports: Record<string, unknown> };
  for (const path of Object.keys(manifest.exports)) expect(readme).toContain(`@espalier/search${path.slice(1)}`);
});
