// A process in which test/native/fake-gpu.cc stands for the NVIDIA driver. It proves our side of the calls only.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, expect } from 'vitest';
import { overNative } from '../support/paths.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const NATIVE = path.join(ROOT, 'native');
const SOURCES = [path.join(ROOT, 'test/native/fake-gpu.cc'), path.join(NATIVE, 'gpu/preprocess_cpu.cc')];
const HEADERS = ['cuda/preprocess_launch.h', 'cuda/resample.h', 'gpu/preprocess_cpu.h'];

/** Where the double is, for `LD_LIBRARY_PATH`; named by its sources, so that it is built once. */
export const doubleFolder = path.join(ROOT, 'build', `fake-gpu-${digest()}`);

/** Whether the double can be built and used here. */
export const doubled = overNative && spawnSync('c++', ['--version']).status === 0;

function digest(): string {
  const hash = createHash('sha256');
  for (const file of [...SOURCES, ...HEADERS.map((header) => path.join(NATIVE, header))])
    hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** Builds the double for the tests of a file. Several files may do so at once. */
export function useDouble(): void {
  beforeAll(() => {
    if (existsSync(doubleFolder)) return;
    mkdirSync(path.dirname(doubleFolder), { recursive: true });
    const folder = mkdtempSync(`${doubleFolder}.`);
    const library = path.join(folder, 'libcuda.so.1');
    const args = ['-std=c++20', '-shared', '-fPIC', '-I', NATIVE, '-o', library, ...SOURCES];
    const { stderr } = spawnSync('c++', args, { encoding: 'utf8' });
    expect(stderr).toBe('');
    symlinkSync('libcuda.so.1', path.join(folder, 'libnvidia-ml.so.1'));
    try {
      renameSync(folder, doubleFolder);
    } catch (error) {
      // Another file was first.
      if (!existsSync(doubleFolder)) throw error;
      rmSync(folder, { recursive: true });
    }
  });
}

/** What `say(…)` was called with by `script`, an ES module that has `gpu` and `failure(promise or function)`. */
export function withDouble(script: string, settings: Readonly<Record<string, string>> = {}) {
  const log = path.join(os.tmpdir(), `spillway-fake-gpu-${process.pid}-${Math.random()}`);
  const code = `
    import { gpu } from ${JSON.stringify(path.join(ROOT, 'dist/gpu/gpu.js'))};
    const plain = (key, value) => value instanceof Error ? { code: value.code, message: value.message }
      : value === Infinity ? 'Infinity' : ArrayBuffer.isView(value) ? [...value] : value;
    const say = (value) => console.log(JSON.stringify(value, plain));
    const failure = async (work) => {
      try { await (typeof work === 'function' ? work() : work) } catch (error) { return error }
    };
    ${script}`;
  // Which devices there are, is for the double to say.
  const { CUDA_VISIBLE_DEVICES: _, ...rest } = process.env;
  const env = { ...rest, ...settings, LD_LIBRARY_PATH: doubleFolder, FAKE_GPU_LOG: log };
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], { env, encoding: 'utf8' });
  expect(child.stderr).toBe('');
  expect(child.status).toBe(0);
  const calls = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  rmSync(log, { force: true });
  const lines = child.stdout.split('\n').filter((line) => line !== '');
  return { said: lines.map((line): unknown => JSON.parse(line)), calls };
}
