// Drivers that lack what others have: older ones, newer ones, parts of one.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { nativeReport } from '../../src/native/load.js';
import { doubled } from './double.js';

/** What every management library has, but for `left`, and `more`. */
function management(left = '', more = '') {
  const entries = {
    nvmlInit_v2: 'int nvmlInit_v2() { return 0; }',
    nvmlErrorString: 'const char* nvmlErrorString(int) { return "Other"; }',
    nvmlSystemGetDriverVersion: 'int nvmlSystemGetDriverVersion(char*, unsigned) { return 1; }',
    nvmlDeviceGetCount_v2: 'int nvmlDeviceGetCount_v2(unsigned* count) { *count = 1; return 0; }',
    nvmlDeviceGetHandleByIndex_v2: 'int nvmlDeviceGetHandleByIndex_v2(unsigned, void**) { return 0; }',
    nvmlDeviceGetName: 'int nvmlDeviceGetName(void*, char* to, unsigned) { strcpy(to, "Old"); return 0; }',
    nvmlDeviceGetUUID: 'int nvmlDeviceGetUUID(void*, char* to, unsigned) { strcpy(to, "GPU-1"); return 0; }',
  };
  const all = Object.entries(entries).filter(([name]) => name !== left);
  return `#include <cstring>\nextern "C" {\n${all.map(([, text]) => text).join('\n')}\n${more}\n}`;
}

/** A driver that shows one device, and can do nothing with it. */
const SHOWS_ONE = `
  #include <cstddef>
  extern "C" {
  int cuInit(unsigned) { return 0; }
  int cuDeviceGetCount(int* count) { *count = 1; return 0; }
  int cuDeviceGet(int* device, int) { *device = 0; return 0; }
  int cuDeviceGetName(char* name, int, int) { *name = 0; return 0; }
  int cuDeviceGetUuid(void*, int) { return 0; }
  int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = 1; return 0; }
  int cuDeviceGetAttribute(int* value, int, int) { *value = 5; return 0; }
  int cuGetErrorName(int, const char**) { return 1; }
  }`;

/** What `expression`, of the addon's `gpu`, is in a process that finds these libraries. */
function ask(libraries: Readonly<Record<string, string>>, expression: string): unknown {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-drivers-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, source] of Object.entries(libraries)) {
    const file = path.join(folder, `${name}.cc`);
    writeFileSync(file, source);
    const args = ['-std=c++17', '-shared', '-fPIC', '-o', path.join(folder, name), file];
    expect(spawnSync('c++', args, { encoding: 'utf8' }).stderr).toBe('');
  }
  const code = `
    const { gpu } = require(${JSON.stringify(nativeReport().reason)});
    (async () => console.log(JSON.stringify(await (${expression}))))();`;
  const env = { ...process.env, LD_LIBRARY_PATH: folder };
  return JSON.parse(spawnSync(process.execPath, ['-e', code], { env, encoding: 'utf8' }).stdout);
}

describe.runIf(doubled)('a driver', () => {
  const one = { index: 0, uuid: 'GPU-1', name: 'Old', slices: [] };

  it('that knows little of its devices is asked for no more', () => {
    expect(ask({ 'libnvidia-ml.so.1': management() }, 'gpu.query()')).toEqual({ devices: [one] });
  });

  it('that calls the reasons for slow clocks by their newer name is understood', () => {
    const newer = `int nvmlDeviceGetCurrentClocksEventReasons(void*, unsigned long long* bits) { *bits = 0x20 | 1ull << 40; return 0; }`;
    expect(ask({ 'libnvidia-ml.so.1': management('', newer) }, 'gpu.query()')).toEqual({
      devices: [{ ...one, throttleReasons: ['thermal'] }],
    });
  });

  it.each(['nvmlInit_v2', 'nvmlErrorString', 'nvmlDeviceGetUUID'])('that lacks %s is of no use', (name) => {
    const reason = `the NVIDIA management library lacks ${name}`;
    expect(ask({ 'libnvidia-ml.so.1': management(name) }, 'gpu.query()')).toEqual({ devices: [], reason });
  });

  it('that is not there is named', () => {
    const { devices, reason } = ask({}, 'gpu.query()') as { devices: unknown[]; reason?: string };
    // A machine with a GPU has one in a folder of its own.
    if (devices.length === 0) expect(reason).toMatch(/^the NVIDIA management library|^nvmlInit failed/);
  });

  it('that shows a device but cannot work on it refuses the first allocation', () => {
    const failure = 'gpu.allocate(0, 8).then(() => "works", (error) => error.message)';
    expect(ask({ 'libcuda.so.1': SHOWS_ONE }, failure)).toBe(
      'the CUDA driver lacks cuDevicePrimaryCtxRetain',
    );
  });
});
