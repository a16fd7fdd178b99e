// What Vulkan shows; with a driver, test/webgpu/engine.test.ts.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildLibrary, hasCompiler } from '../support/native-library.js';
import { overNative } from '../support/paths.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spillway-vulkan-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function devicesWith(loaders: string, settings: Readonly<Record<string, string>> = {}) {
  const source = `
    import { native } from ${JSON.stringify(path.join(ROOT, 'dist/native/load.js'))};
    console.log(JSON.stringify(native().gpu.vulkanDevices()));`;
  const env = { ...process.env, ...settings, LD_LIBRARY_PATH: loaders };
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', source], { env, encoding: 'utf8' });
  expect(child.stderr).toBe('');
  return JSON.parse(child.stdout);
}

// Only the addon asks Vulkan.
describe.runIf(overNative)('vulkanDevices', () => {
  it('says why there are none where the loader is none', () => {
    writeFileSync(path.join(folder, 'libvulkan.so.1'), 'no library');
    expect(devicesWith(folder)).toEqual({
      devices: [],
      reason: expect.stringMatching(/^the Vulkan loader is not installed \(.*libvulkan\.so\.1/),
    });
  });

  // Skipped where no compiler is there to make the loader.
  describe.runIf(hasCompiler)('of a loader of ours', () => {
    const shown = (devices: string) =>
      devicesWith(path.dirname(buildLibrary('fake-vulkan', { name: 'libvulkan.so.1' })), {
        FAKE_VULKAN_DEVICES: devices,
      });

    it('tells GPUs from what computes on the CPU', () => {
      expect(shown('discrete:2,inside:1,pipe:4')).toEqual({
        devices: [
          { name: 'discrete', software: false },
          { name: 'inside', software: false },
          { name: 'pipe', software: true },
        ],
      });
    });

    it('says that drivers show no device, and that there is no driver', () => {
      expect(shown('')).toEqual({ devices: [], reason: 'the Vulkan drivers show no device' });
      expect(shown('-9')).toEqual({ devices: [], reason: 'the Vulkan loader finds no driver (error -9)' });
    });
  });
});
