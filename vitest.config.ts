import { defineConfig } from 'vitest/config';

// The whole suite runs twice: over the addon and over the JavaScript path. A test that needs a
// capability asks for it through test/support/paths.ts; whether the addon really loaded is itself asserted there.
const shared = {
  include: ['test/**/*.test.ts'],
  exclude: ['test/corpus/**', 'test/webgpu/**'],
  pool: 'forks' as const,
  testTimeout: 30_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    maxWorkers: 2,
    projects: [
      { test: { ...shared, name: 'native', env: { SPILLWAY_NATIVE: 'require' } } },
      { test: { ...shared, name: 'fallback', env: { SPILLWAY_NATIVE: 'off' } } },
    ],
  },
});
