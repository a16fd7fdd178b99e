// Keeps V8's heap in proportion to the budget: left alone it takes up to gigabytes before it collects.
import v8 from 'node:v8';
import { native } from '../native/load.js';

const MB = 2 ** 20;
/** Of the budget. The CLI's own objects are few; a heap that is full ends the process, so it is not made tight. */
const HEAP_SHARE = 0.25;
const LEAST_HEAP_MB = 64;
/** Young generation: three times this (V8's semi-spaces); 16 MB where V8 is left alone. */
const SEMI_SPACE_SHARE = 1 / 128;
const MOST_SEMI_SPACE_MB = 16;
/** V8 commits and keeps less: 1.7 MB of a process that has loaded what a run needs. For budgets below 256 MiB. */
const FOR_SIZE = '--optimize-for-size';
/** Said by the process that was replaced, so that it happens once. */
const DONE = 'SPILLWAY_HEAP_FITTED';

/** Flags for a heap beside a budget of so many bytes. */
export function heapFlags(budgetBytes: number): string[] {
  const heap = Math.max(LEAST_HEAP_MB, Math.floor((budgetBytes * HEAP_SHARE) / MB));
  const semiSpace = Math.min(
    MOST_SEMI_SPACE_MB,
    Math.max(1, Math.floor((budgetBytes * SEMI_SPACE_SHARE) / MB)),
  );
  const flags = [`--max-old-space-size=${heap}`, `--max-semi-space-size=${semiSpace}`];
  return semiSpace === 1 ? [...flags, FOR_SIZE] : flags;
}

/**
 * Starts this process anew with a heap that fits the budget; does nothing where V8's own limit fits already, where
 * the user has set one, and without the addon. To be called before anything is begun: nothing of this process stays
 * but its number, its folder, its environment and its streams.
 */
export function fitHeap(budgetBytes: number): void {
  const { replaceProcess } = native();
  const done = process.env[DONE] !== undefined;
  delete process.env[DONE];
  if (!replaceProcess || done || process.channel) return;
  const given = `${process.execArgv.join(' ')} ${process.env.NODE_OPTIONS ?? ''}`;
  if (/--max[-_]old[-_]space[-_]size|--max[-_]heap[-_]size/.test(given)) return;
  if (v8.getHeapStatistics().heap_size_limit <= budgetBytes * HEAP_SHARE) return;
  process.env[DONE] = '1';
  const [, script = '', ...args] = process.argv;
  replaceProcess(process.execPath, [
    process.execPath,
    ...process.execArgv,
    ...heapFlags(budgetBytes),
    script,
    ...args,
  ]);
}
