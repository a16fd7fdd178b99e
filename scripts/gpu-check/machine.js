// What this machine has for the cases: the library under test, a GPU, and the limits of that GPU.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Why a case cannot run here. */
export class SkippedError extends Error {}

/** The built library's file; tests are of what is published. */
export function library(file) {
  return import(new URL(`../../dist/${file}`, import.meta.url).href);
}

/** What inference is forced to, for a dry run where there is no GPU. */
export const forcedDevice = process.env.SPILLWAY_GPU_CHECK_DEVICE || undefined;

/** Throws `SkippedError` without the addon. */
export async function requireAddon() {
  const { nativeReport } = await library('index.js');
  const { loaded, reason } = nativeReport();
  if (!loaded) throw new SkippedError(`the native addon does not serve: ${reason}`);
}

/** Throws `SkippedError` where there is no GPU of NVIDIA's, or no addon to use it. */
export async function requireNvidia() {
  await requireAddon();
  const { gpu } = await library('gpu/gpu.js');
  const { devices, reason } = gpu.devices();
  if (devices.length === 0) throw new SkippedError(reason);
}

/** What every line ends with. */
export const ABOUT = { path: 'native' };

let measured;

/** Bytes a second that the first GPU copies within its memory (read and written) and from pinned memory. */
export function limits() {
  measured ??= measureLimits();
  return measured;
}

function measureLimits() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'spillway-gpu-check-'));
  try {
    const program = path.join(folder, 'limits');
    const source = path.join(import.meta.dirname, 'limits.cc');
    const build = spawnSync('c++', ['-O2', '-std=c++17', '-o', program, source, '-ldl'], {
      encoding: 'utf8',
    });
    if (build.error) throw new SkippedError(`no C++ compiler for the limits: ${build.error.message}`);
    if (build.status !== 0) throw new Error(`the limits do not compile: ${build.stderr}`);
    const run = spawnSync(program, [String(2 ** 30)], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`the limits failed: ${run.stderr}`);
    return JSON.parse(run.stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
