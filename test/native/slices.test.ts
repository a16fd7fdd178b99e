// Threads that compute keep their core for long, and let others have it at once.
import { readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { expect, it, vi } from 'vitest';
import { onnxruntimeLibrary } from '../../src/models/engine/onnxruntime.js';
import { native } from '../../src/native/load.js';
import { chainGraph, ones } from '../support/graphs.js';
import { CPU_PLAN } from '../support/load-plan.js';
import { overNative } from '../support/paths.js';

const LONG_NS = 20e6;

/** Of the scheduler, in nanoseconds; undefined where the thread is gone. */
function sliceOf(thread: string): number | undefined {
  try {
    const told = /^se\.slice\s*:\s*(\d+)/m.exec(readFileSync(`/proc/self/task/${thread}/sched`, 'utf8'));
    return told ? Number(told[1]) : undefined;
  } catch {
    return undefined;
  }
}

function countLong(): number {
  return readdirSync('/proc/self/task').filter((thread) => sliceOf(thread) === LONG_NS).length;
}

const main = String(process.pid);
const [major = 0, minor = 0] = release().split('.').map(Number);
const asksForSlices = (major > 6 || (major === 6 && minor >= 12)) && sliceOf(main) !== undefined;

// Without the addon nothing computes on threads of ours; older kernels know no slices of a thread's own.
it.runIf(overNative && asksForSlices)('threads that compute have long slices while they do', async () => {
  const { infer } = native();
  infer?.open(onnxruntimeLibrary());
  const graph = chainGraph({ layers: 200, width: 256 });
  const session = await infer?.load(graph, { ...CPU_PLAN, threads: 3 });
  const pool = countLong();
  expect(pool).toBe(2);
  const running = session?.run(1, [{ name: 'x', tensor: ones(512, 256) }], ['y']);
  await vi.waitFor(() => expect(countLong()).toBe(pool + 1), { interval: 1 });
  expect(sliceOf(main)).toBeLessThan(LONG_NS);
  await running;
  await vi.waitFor(() => expect(countLong()).toBe(pool));
  session?.release();
});
