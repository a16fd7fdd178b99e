import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gpu } from '../../src/gpu/gpu.js';
import { nativeReport } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';

const BUILD_LOG = 'build-cmake/CMakeCache.txt';
const compiler = spawnSync('c++', ['--version']).status === 0;

/** A driver that knows `count` devices; with `initialised` 999, one that fails. */
const driverSource = (count: number, initialised: number) => `
  #include <cstring>
  #include <cstddef>
  extern "C" {
  int cuInit(unsigned) { return ${initialised}; }
  int cuDeviceGetCount(int* count) { *count = ${count}; return 0; }
  int cuDeviceGet(int* device, int ordinal) { *device = 40 + ordinal; return 0; }
  int cuDeviceGetName(char* name, int length, int) { strncpy(name, "Imaginary 1", length); return 0; }
  int cuDeviceGetUuid(void* uuid, int device) { for (int i = 0; i < 16; i++) ((char*)uuid)[i] = i * 16 + device - 40; return 0; }
  int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = 85ull << 30; return 0; }
  int cuDeviceGetAttribute(int* value, int attribute, int) { *value = attribute == 75 ? 9 : attribute == 76 ? 0 : -1; return 0; }
  int cuGetErrorName(int, const char** name) { *name = "CUDA_ERROR_UNKNOWN"; return 0; }
  }`;

/** What the addon says in a process where this is the driver. */
function devicesWith(source: string) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-gpu-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(path.join(folder, 'driver.cc'), source);
  const library = path.join(folder, 'libcuda.so.1');
  const build = spawnSync('c++', ['-shared', '-fPIC', '-o', library, path.join(folder, 'driver.cc')], {
    encoding: 'utf8',
  });
  expect(build.stderr).toBe('');
  const code = `console.log(JSON.stringify(require(${JSON.stringify(nativeReport().reason)}).gpu.devices()))`;
  const env = { ...process.env, LD_LIBRARY_PATH: folder };
  return JSON.parse(spawnSync(process.execPath, ['-e', code], { env, encoding: 'utf8' }).stdout) as unknown;
}

describe('gpu', () => {
  it.runIf(!overNative)('is refused on the JavaScript path', () => {
    const refusal = expect.objectContaining({ code: 'ERR_NATIVE_UNAVAILABLE' });
    expect(() => gpu.devices()).toThrow(refusal);
    expect(() => gpu.kernelBytes).toThrow(refusal);
  });

  it.runIf(overNative)('lists devices or says why there is none, and says the same again', () => {
    const report = gpu.devices();
    if (report.devices.length === 0) expect(report.reason).toMatch(/CUDA driver|cuInit/);
    else expect(report.reason).toBeUndefined();
    for (const { uuid, totalBytes, computeCapability } of report.devices) {
      expect(uuid).toMatch(/^GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(totalBytes).toBeGreaterThan(0);
      expect(computeCapability).toMatch(/^\d+\.\d+$/);
    }
    expect(gpu.devices()).toEqual(report);
  });

  it.runIf(overNative && compiler)('describes the devices as their driver does', () => {
    const device = (id: number) => ({
      id,
      name: 'Imaginary 1',
      uuid: `GPU-0${id}1${id}2${id}3${id}-4${id}5${id}-6${id}7${id}-8${id}9${id}-a${id}b${id}c${id}d${id}e${id}f${id}`,
      totalBytes: 85 * 2 ** 30,
      computeCapability: '9.0',
    });
    expect(devicesWith(driverSource(2, 0))).toEqual({ devices: [device(0), device(1)] });
    expect(devicesWith(driverSource(0, 0))).toEqual({
      devices: [],
      reason: 'the CUDA driver shows no device',
    });
    const failed = { devices: [], reason: 'cuInit failed with CUDA_ERROR_UNKNOWN' };
    expect(devicesWith(driverSource(1, 999))).toEqual(failed);
    const lacking = { devices: [], reason: 'the CUDA driver lacks cuInit' };
    expect(devicesWith('extern "C" int cuOther() { return 0; }')).toEqual(lacking);
  });

  it.runIf(overNative && existsSync(BUILD_LOG))('carries kernels exactly where the build found nvcc', () => {
    const built = /^SPILLWAY_KERNELS:\w+=(.*)$/m.exec(readFileSync(BUILD_LOG, 'utf8'))?.[1];
    expect(['ON', 'OFF']).toContain(built);
    expect(gpu.kernelBytes > 0).toBe(built === 'ON');
  });
});
