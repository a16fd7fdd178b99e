// The addon's tests under a sanitizer; scripts/test-sanitized.mjs runs it and judges what the sanitizer wrote.
import { defineConfig } from 'vitest/config';

/** What calls the addon. The rest of the suite would only run more JavaScript. */
const PARTS = ['batch', 'cache', 'chunk', 'gpu', 'memory', 'models', 'native', 'read', 'scan'];

export default defineConfig({
  test: {
    // The second sets LD_PRELOAD: the workers have the sanitizer, the compiler and vitest itself do without.
    globalSetup: ['test/support/global-setup.ts', 'test/native/preload.ts'],
    // They use SQLite, or JavaScript alone; some start shells, which do not run under a sanitizer.
    exclude: ['test/cache/{disk,tiered,adaptive,value}-*.test.ts', 'test/models/disk-tier*.test.ts'],
    include: [...PARTS.map((part) => `test/${part}/**/*.test.ts`), 'test/lifecycle/ending.test.ts'],
    env: { SPILLWAY_NATIVE: 'require', SPILLWAY_LIFECYCLE_RUNS: '16' },
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
