// A device is tried in a process of its own: whatever its driver does there, this one goes on with the next device.
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { twoOutputsGraph } from '../support/graphs.js';
import { buildLibrary, hasCompiler } from '../support/native-library.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'spillway-device-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What a program says of a graph that it acquires, and of one on webgpu alone, with `folder` before all libraries. */
async function program() {
  const graph = Buffer.from(twoOutputsGraph()).toString('base64');
  const source = `
    import { ModelCache } from ${JSON.stringify(path.join(ROOT, 'dist/models/model-cache.js'))};
    const graph = Buffer.from('${graph}', 'base64');
    const any = new ModelCache({ threads: 1 });
    const { device, rejected } = await any.acquire(graph);
    const only = new ModelCache({ threads: 1, device: 'webgpu' });
    const failure = await only.acquire(graph).catch(({ code, message }) => ({ code, message }));
    console.log(JSON.stringify({ device, rejected, failure }));
    await any.close();
    await only.close();`;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', source],
    { env: { ...process.env, LD_LIBRARY_PATH: folder, VK_DRIVER_FILES: path.join(folder, 'none.json') } },
  );
  expect(stderr).toBe('');
  const said = JSON.parse(stdout);
  return { ...said, webgpu: said.rejected.find(({ device }: { device: string }) => device === 'webgpu') };
}

describe('a device that is there and does not work', () => {
  it('is passed over with the reason', async () => {
    await writeFile(path.join(folder, 'libvulkan.so.1'), 'no library');
    const { device, webgpu, failure } = await program();
    expect(device).toBe('cpu');
    expect(webgpu.reason).toMatch(/^webgpu does not compute: ./);
    expect(failure).toEqual({ code: 'ERR_DEVICE_UNAVAILABLE', message: webgpu.reason });
  });

  // Skipped where no compiler is there to make the driver.
  it.runIf(hasCompiler)('takes no more than its own process with it when it crashes', async () => {
    const library = buildLibrary('crashing-vulkan');
    await copyFile(library, path.join(folder, 'libvulkan.so.1'));
    const { device, webgpu, failure } = await program();
    expect(device).toBe('cpu');
    expect(webgpu.reason).toMatch(/^webgpu does not compute: the child process .* ended with SIGABRT/);
    expect(failure.code).toBe('ERR_DEVICE_UNAVAILABLE');
  });
});
