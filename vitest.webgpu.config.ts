// `npm run test:webgpu`: inference on WebGPU, for which scripts/test-webgpu.mjs brings a driver.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-setup.ts',
    include: ['test/webgpu/**/*.test.ts', 'test/lifecycle/ending.test.ts'],
    env: {
      SPILLWAY_NATIVE: 'require',
      SPILLWAY_LIFECYCLE_DEVICE: 'webgpu',
      SPILLWAY_LIFECYCLE_RUNS: '24',
    },
    pool: 'forks',
    maxWorkers: 1, // the driver computes on all cores
    testTimeout: 120_000,
  },
});
