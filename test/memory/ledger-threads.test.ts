// The one ledger under charges of several threads at once.
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { native } from '../../src/native/load.js';
import { overNative } from '../support/paths.js';

const LOADER = fileURLToPath(new URL('../../dist/native/load.js', import.meta.url));

/** Charges `bytes` to the account, for as long as the flag stands, and pays back what was granted. */
const CHARGES = `const { parentPort, workerData: { loader, account, bytes, flag } } = require('node:worker_threads');
  import(loader).then(({ native }) => {
    const { ledger } = native();
    let refused = 0;
    parentPort.postMessage('up');
    while (Atomics.load(flag, 0) === 0)
      if (ledger.charge(account, bytes)) ledger.credit(account, bytes);
      else refused++;
    parentPort.postMessage(refused);
  });`;

// The JavaScript ledger belongs to one thread.
it.runIf(overNative)('refuses what cannot fit without refusing what does, in another thread', async () => {
  const { ledger } = native();
  const parent = ledger.account('threads', 0);
  const account = ledger.account('child', parent);
  ledger.setLimit(parent, 1000);
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(CHARGES, {
    eval: true,
    workerData: { loader: LOADER, account, bytes: 5000, flag },
  });
  await new Promise((resolve) => worker.once('message', resolve));
  const ended = new Promise<number>((resolve) => worker.once('message', resolve));
  let granted = 0;
  const charges = 3_000_000;
  for (let i = 0; i < charges; i++) {
    if (!ledger.charge(account, 900)) continue;
    granted++;
    ledger.credit(account, 900);
  }
  Atomics.store(flag, 0, 1);
  expect(await ended).toBeGreaterThan(0);
  expect(granted).toBe(charges);
  expect(ledger.held(parent)).toBe(0);
});
