import { defineConfig } from 'vitest/config';

// Tests run from the sources: every package exports them under the condition `espalier-source`.
export default defineConfig({
  resolve: { conditions: ['espalier-source', 'module', 'node', 'development|production'] },
  ssr: { resolve: { conditions: ['espalier-source', 'module', 'node', 'development|production'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    execArgv: ['--conditions=espalier-source', '--disable-warning=ExperimentalWarning'],
    pool: 'forks',
    // A measurement that a busy machine spoilt is taken once more; whatever else fails, fails twice.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    // What runs at night has larger numbers to go through.
    testTimeout: process.env['ESPALIER_NIGHTLY'] === '1' ? 3_600_000 : 30_000,
    hookTimeout: 60_000,
  },
});
