// What importing the package costs: the libraries are loaded by the first use that needs them, not before.
import { expect, it } from 'vitest';
import { run } from './support.ts';

it('loads no library by its import alone', async () => {
  const index = new URL('../src/index.ts', import.meta.url).href;
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({
      load(url, context, next) {
        const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1];
        if (name) loaded.push(name);
        return next(url, context);
      },
    });
    const pki = await import(${JSON.stringify(index)});
    const before = [...new Set(loaded)];
    await pki.createRootCa({ subject: 'CN=x', key: { type: 'ec', curve: 'P-256' }, clock: Date });
    console.log(JSON.stringify({ before, after: [...new Set(loaded)] }));
  `;
  const args = ['--conditions=espalier-source', '--input-type=module', '-e', script];
  const { code, stdout, stderr } = await run(process.execPath, args);
  expect(code, stderr).toBe(0);
  const { before, after } = JSON.parse(stdout.toString()) as { before: string[]; after: string[] };
  expect(before).toEqual([]);
  expect(after).toContain('pkijs');
  expect(after).not.toContain('node-forge');
});
