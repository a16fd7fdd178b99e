// Files with content, and what a reader saw of them.
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../scripts/make-model/test-graphs.mjs';
import { dataSet } from './data-sets.mjs';

const BLOCK = 1_000_000;
const PAGE = 4096;
const STRIDE = 64;
const FILES_IN_FOLDER = 200;

/** A file of `megabytes` (10⁶ bytes) of noise, no two blocks alike; its path. @param {number} megabytes */
export async function bigFile(megabytes) {
  const folder = await dataSet(`file-${megabytes}m`, async (to) => {
    writeNoise(path.join(to, 'big.bin'), megabytes, noise(BLOCK, 1));
    await sleep(2500);
  });
  return path.join(folder, 'big.bin');
}

/** A folder of `count` such files, no two alike. @param {number} count @param {number} megabytes */
export function bigFiles(count, megabytes) {
  return dataSet(`files-${count}x${megabytes}m`, async (to) => {
    for (let i = 0; i < count; i++)
      writeNoise(path.join(to, `big-${i}.bin`), megabytes, noise(BLOCK, 10 + i));
    await sleep(2500);
  });
}

/** @param {string} file @param {number} megabytes @param {Buffer} block */
function writeNoise(file, megabytes, block) {
  const fd = openSync(file, 'w');
  for (let i = 0; i < megabytes; i++) {
    block.writeUInt32LE(i, (i * STRIDE) % (BLOCK - 4));
    writeSync(fd, block);
  }
  closeSync(fd);
}

/**
 * A folder of `count` files of `bytes` each, and the list of their paths, each ended by NUL.
 * @param {number} count @param {number} bytes @returns {Promise<{ folder: string, list: string }>}
 */
export async function smallFiles(count, bytes) {
  const folder = await dataSet(`files-${count}x${bytes}`, async (to) => {
    const content = noise(bytes, 2);
    const paths = [];
    for (let i = 0; i < count; i++) {
      const shelf = path.join(to, 'files', `shelf-${Math.floor(i / FILES_IN_FOLDER)}`);
      if (i % FILES_IN_FOLDER === 0) mkdirSync(shelf, { recursive: true });
      content.writeUInt32LE(i, (i * STRIDE) % (bytes - 4));
      paths.push(path.join(shelf, `item-${i}.bin`));
      writeFileSync(/** @type {string} */ (paths.at(-1)), content);
    }
    writeFileSync(path.join(to, 'list'), paths.map((file) => `${file}\0`).join(''));
    await sleep(2500);
  });
  return { folder: path.join(folder, 'files'), list: path.join(folder, 'list') };
}

/** Looks at a byte of every page of a piece of a file. @param {Uint8Array} bytes @param {number} [offset] of the piece */
export function touchPages(bytes, offset = 0) {
  let sum = 0;
  const first = (PAGE - (offset % PAGE)) % PAGE;
  for (let i = first; i < bytes.length; i += PAGE) sum += /** @type {number} */ (bytes[i]);
  return sum;
}

/**
 * FNV-1a over every 64th byte of a piece of a file, going on from `hash`.
 * @param {Uint8Array} bytes @param {number} [offset] @param {number} [hash]
 */
export function hashStrides(bytes, offset = 0, hash = 2166136261) {
  const first = (STRIDE - (offset % STRIDE)) % STRIDE;
  for (let i = first; i < bytes.length; i += STRIDE)
    hash = Math.imul(hash ^ /** @type {number} */ (bytes[i]), 16777619);
  return hash >>> 0;
}

/** @param {number} length @param {number} seed */
function noise(length, seed) {
  const random = uniform(seed);
  return Buffer.from(Uint8Array.from({ length }, () => random() * 256));
}
