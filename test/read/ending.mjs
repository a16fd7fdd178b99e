// Reads without end, as a worker thread or as a process: node ending.mjs <folder> <how to end> <delay ms>.
import { readdirSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { openChunks } from '../../dist/read/chunks.js';
import { readFiles } from '../../dist/read/files.js';

const [folder, ending, delay] = isMainThread ? process.argv.slice(2) : workerData;
const files = readdirSync(folder).map((name) => path.join(folder, name));
const kept = [];

async function chunks() {
  for (;;)
    for (const file of files)
      for await (const chunk of openChunks(file, { chunkBytes: 5000, sha256: true }))
        if (kept.length < 20) kept.push(chunk.retain());
}

async function groups() {
  for (;;)
    for await (const group of readFiles(files, { groupBytes: 100_000, sha256: true }))
      if (kept.length < 40) kept.push(group.retain());
}

const fail = (error) => {
  writeSync(2, `${error.stack}\n`);
  process.exit(1);
};
chunks().catch(fail);
groups().catch(fail);
if (!isMainThread) parentPort.postMessage('begun');
else {
  await sleep(Number(delay));
  if (ending === 'exit') process.exit(7);
  if (ending === 'throw') throw new Error('on purpose');
}
