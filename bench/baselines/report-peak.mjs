// Preloaded into a program (node --import): at its end writes its peak resident memory, in MB, to the file that
// SPILLWAY_BENCH_PEAK names.
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { residentMB } from '../harness/memory.mjs';

const file = process.env.SPILLWAY_BENCH_PEAK;
if (isMainThread && file) process.on('exit', () => writeFileSync(file, String(residentMB().peak)));
