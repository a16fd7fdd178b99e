// What this machine offers, asked of the parts that would use it. Nothing is judged, and nothing is left behind.
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { inspectCacheFolder } from '../cache/disk-folder.js';
import { type SqliteDriver, sqliteDriver } from '../cache/disk-sqlite.js';
import type { Capability, Device } from '../contract/index.js';
import { loadSharp } from '../extract/sharp.js';
import { deviceCandidates, type RejectedDevice } from '../models/detect.js';
import { openEngine } from '../models/engine/choose-engine.js';
import { onnxruntimePackage } from '../models/engine/onnxruntime.js';
import { checkDevice } from '../models/probe-device.js';
import { type NativeReport, native, nativeReport } from '../native/load.js';
import { codeOf, messageOf } from '../util/errors.js';

/** What asking led to: a value, or why there is none. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string | undefined; readonly message: string };

/** All sizes are bytes. */
export interface MachineFacts {
  readonly node: string;
  readonly platform: {
    readonly os: string;
    readonly arch: string;
    /** Undefined where the C library is not glibc. */
    readonly glibc: string | undefined;
  };
  readonly native: Answer<NativeReport & { readonly capabilities: readonly Capability[] }>;
  /** Cores this process may use, and those of the machine. */
  readonly cores: Answer<{ readonly usable: number; readonly machine: number }>;
  readonly memory: Answer<{ readonly limit: number; readonly source: string; readonly workingSet: number }>;
  readonly sqlite: Answer<SqliteDriver>;
  readonly sharp: Answer<{ readonly version: string; readonly libvips: string }>;
  readonly onnxruntime: Answer<{ readonly version: string }>;
  /** What would run graphs: `native` is the addon, `stock` onnxruntime-node in a child process. */
  readonly engine: Answer<{ readonly name: string; readonly version: string; readonly reason: string }>;
  readonly devices: Answer<{
    /** What 'auto' would take, best first; each but the CPU was tried. */
    readonly candidates: readonly Device[];
    readonly rejected: readonly RejectedDevice[];
    /** Names of the GPUs the CUDA driver shows. */
    readonly gpus: readonly string[];
  }>;
  readonly cacheFolder: Answer<{
    readonly path: string;
    readonly exists: boolean;
    readonly freeBytes: number;
  }>;
}

/** Asks for everything. Loads libraries into this process, and may start a child for a moment. Never rejects. */
export async function collectMachineFacts(cacheDir: string): Promise<MachineFacts> {
  return {
    node: process.versions.node,
    platform: { os: process.platform, arch: process.arch, glibc: glibcVersion() },
    native: await answer(() => ({ ...nativeReport(), capabilities: native().capabilities })),
    cores: await answer(() => ({ usable: native().cores(), machine: os.cpus().length })),
    memory: await answer(memory),
    sqlite: await answer(sqliteDriver),
    sharp: await answer(sharpVersions),
    onnxruntime: await answer(() => ({ version: packageVersion(onnxruntimePackage()) })),
    engine: await answer(engine),
    devices: await answer(devices),
    cacheFolder: await answer(() => inspectCacheFolder(cacheDir)),
  };
}

async function answer<T>(ask: () => T | Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await ask() };
  } catch (error) {
    return { ok: false, code: codeOf(error), message: messageOf(error).split('\n')[0] ?? '' };
  }
}

function glibcVersion(): string | undefined {
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined;
  if (!report) return undefined;
  report.excludeNetwork = true; // would resolve the names of open connections
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime;
}

function memory() {
  const { limitBytes, source, workingSetBytes } = native().governor.measure();
  return { limit: limitBytes, source, workingSet: workingSetBytes };
}

async function sharpVersions() {
  const { versions } = await loadSharp();
  return { version: versions.sharp, libvips: versions.vips };
}

function packageVersion(folder: string): string {
  const read = createRequire(import.meta.url);
  return (read(path.join(folder, 'package.json')) as { version: string }).version;
}

async function engine() {
  const { engine, reason } = await openEngine('auto');
  await engine.close();
  return { name: engine.name, version: engine.version, reason };
}

async function devices() {
  const gpus = native().gpu?.devices().devices ?? [];
  const { candidates, rejected } = deviceCandidates('auto');
  const usable: Device[] = [];
  const passedOver = [...rejected];
  for (const device of candidates)
    await checkDevice(device, false).then(
      () => usable.push(device),
      (error: unknown) => passedOver.push({ device, reason: messageOf(error) }),
    );
  return { candidates: usable, rejected: passedOver, gpus: gpus.map(({ name }) => name) };
}
