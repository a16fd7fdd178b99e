// A thread that keeps changing a file until told to stop. Block i of version v holds v and i, so any mixture of
// two versions can be told, and the file is at any instant the beginning of one version, or absent.
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { file, blocks, stop } = workerData;
const stopped = new Int32Array(stop);
// Linux before 6.13 stamps files with a clock that ticks every 1 to 10 ms: two changes within a tick look the same.
const TICK_MS = 11;
let version = 0;
let length = 0;

function blocksOf(from, to) {
  const words = new Uint32Array((to - from) * 2);
  for (let i = from; i < to; i++) words.set([version, i], (i - from) * 2);
  return Buffer.from(words.buffer);
}

function replace() {
  version++;
  length = blocks + Math.floor(Math.random() * blocks);
  writeFileSync(`${file}.new`, blocksOf(0, length));
  renameSync(`${file}.new`, file);
}

const changes = [
  replace,
  () => {
    version++;
    writeFileSync(file, blocksOf(0, length));
  },
  () => {
    length = Math.floor(length * Math.random());
    truncateSync(file, length * 8);
  },
  () => {
    appendFileSync(file, blocksOf(length, length + blocks));
    length += blocks;
  },
  () => {
    rmSync(file);
    Atomics.wait(stopped, 0, 0, 1);
    replace();
  },
];

replace();
parentPort?.postMessage('begun');
for (let i = 0; Atomics.wait(stopped, 0, 0, TICK_MS) === 'timed-out'; i++) {
  changes[i % changes.length]();
  if (length > blocks * 4) replace();
}
