// Preloaded into a program of ours (node --import): ten times a second appends to the file that
// SPILLWAY_BENCH_ACCOUNTS names what the ledger's accounts hold, the budget and the level, as JSON lines.
import { openSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { native } from '../../dist/native/load.js';

const EVERY_MS = 100;
const file = process.env.SPILLWAY_BENCH_ACCOUNTS;

if (isMainThread && file) {
  const fd = openSync(file, 'w');
  const { ledger, governor } = native();
  setInterval(() => {
    const budget = ledger.limit(0);
    // No plan yet, or not any more.
    if (budget === Number.POSITIVE_INFINITY) return;
    const accounts = Object.fromEntries(
      ledger
        .snapshot()
        .slice(1)
        .map(({ name, bytes, reserved }) => [name, bytes + reserved]),
    );
    const at = performance.timeOrigin + performance.now();
    writeSync(fd, `${JSON.stringify({ at, budget, level: governor.measure().level, accounts })}\n`);
  }, EVERY_MS).unref();
}
