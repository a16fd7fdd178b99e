// Runs every gpu.* case on a machine with an NVIDIA GPU and prints a line of JSON for each, as `npm run bench` does.
//   node scripts/gpu-check [case…]        needs dist/ and the addon; a C++ compiler for the limits
// Where there is no GPU each case says so and the exit code is 0; 1 where a case failed to run. gpu.infer runs on any GPU
// that WebGPU finds.

import { checkCopy } from './copy.js';
import { checkInfer } from './infer.js';
import { requireNvidia, SkippedError } from './machine.js';
import { checkPool } from './pool.js';
import { checkPreprocess } from './preprocess.js';
import { checkQuery } from './query.js';

const CASES = {
  'gpu.query': onNvidia(checkQuery),
  'gpu.pool': onNvidia(checkPool),
  'gpu.copy': onNvidia(checkCopy),
  'gpu.preprocess': onNvidia(checkPreprocess),
  'gpu.infer': checkInfer,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in CASES));
if (unknown.length > 0) {
  console.error(`gpu-check: expected ${Object.keys(CASES).join(', ')} but received ${unknown.join(', ')}`);
  process.exit(2);
}
for (const [name, check] of Object.entries(CASES))
  if (wanted.length === 0 || wanted.includes(name)) await run(name, check);

function onNvidia(check) {
  return async () => {
    await requireNvidia();
    return check();
  };
}

async function run(name, check) {
  try {
    for (const line of await check()) print(line);
  } catch (error) {
    if (error instanceof SkippedError) return print({ case: name, skipped: error.message });
    process.exitCode = 1;
    print({ case: name, failed: error.message, code: error.code });
  }
}

function print(line) {
  console.log(JSON.stringify(line));
}
