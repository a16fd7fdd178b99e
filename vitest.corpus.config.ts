// `npm run test:corpus`: real files, which are not part of the repository. SPILLWAY_CORPUS names their folder.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const corpus = process.env.SPILLWAY_CORPUS || fileURLToPath(new URL('../shared/data', import.meta.url));
const found = existsSync(corpus);
if (!found) console.log(`no corpus in ${corpus}: nothing to test; SPILLWAY_CORPUS names another folder`);

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    include: ['test/corpus/**/*.test.ts'],
    exclude: found ? [] : ['**'],
    passWithNoTests: true,
    env: { SPILLWAY_CORPUS: corpus, SPILLWAY_NATIVE: 'require' },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
  },
});
