// Trees of files to walk, and what a walker saw of them.
import { closeSync, ftruncateSync, futimesSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { dataSet } from './data-sets.mjs';

const FILES_IN_FOLDER = 100;
const FOLDERS_IN_FOLDER = 50;
/** Whole seconds, so that a time read as a double says all of it. */
const FIRST_SECOND = 1_700_000_000;

/** `files` files in folders of 100, in folders of 50. @param {number} files */
export function treeOf(files) {
  return dataSet(`tree-${files}`, (root) => {
    for (let i = 0; i < files; i++) {
      const folder = Math.floor(i / FILES_IN_FOLDER);
      const shelf = path.join(root, `shelf-${Math.floor(folder / FOLDERS_IN_FOLDER)}`, `box-${folder}`);
      if (i % FILES_IN_FOLDER === 0) mkdirSync(shelf, { recursive: true });
      makeFile(path.join(shelf, `item-${i}.jpg`), i);
    }
  });
}

/** `files` files in one folder. @param {number} files */
export function folderOf(files) {
  return dataSet(`folder-${files}`, (root) => {
    for (let i = 0; i < files; i++) makeFile(path.join(root, `item-${i}.jpg`), i);
  });
}

/** Sparse: sizes and times differ, no blocks are used. @param {string} file @param {number} i */
function makeFile(file, i) {
  const fd = openSync(file, 'w');
  ftruncateSync(fd, (i % 1000) * 37);
  futimesSync(fd, FIRST_SECOND + i, FIRST_SECOND + i);
  closeSync(fd);
}

/** What a walker saw, in whatever order: sums over the files, exact as long as they are fewer than two million. */
export class Seen {
  files = 0;
  bytes = 0;
  hash = 0;
  size = 0;
  seconds = 0;
  ino = 0;

  /** Adds a path of ASCII characters. @param {string} name */
  path(name) {
    let hash = 2166136261;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
    this.files++;
    this.bytes += name.length;
    this.hash += hash >>> 0;
  }

  /** Adds figures. @param {number} size @param {number} seconds @param {number} ino */
  stat(size, seconds, ino) {
    this.size += size;
    this.seconds += seconds;
    this.ino += ino;
  }

  digest() {
    const { files, bytes, hash, size, seconds, ino } = this;
    return { files, bytes, hash, size, seconds, ino };
  }
}
