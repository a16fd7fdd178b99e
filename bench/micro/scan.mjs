// Walking a tree, native against JavaScript: node bench/micro/scan.mjs
import { openScanner } from '../../dist/fallback/scanner.js';
import { native } from '../../dist/native/load.js';
import { treeOf } from '../harness/trees.mjs';
import { compare } from './compare.mjs';

const root = await treeOf(3000);

/** @param {boolean} stat */
const plan = (stat) => ({
  roots: [Buffer.from(root)],
  include: [],
  exclude: [],
  types: 1,
  stat,
  follow: false,
  threads: 2,
  batchFiles: 1024,
  skip: new BigUint64Array(),
});

/** @param {typeof openScanner} open @param {boolean} stat */
const walking = (open, stat) => async () => {
  const scanner = open(plan(stat));
  let files = 0;
  for (let batch = await scanner.next(); batch; batch = await scanner.next()) files += batch.count;
  if (files !== 3000) throw new Error(`expected 3000 files but saw ${files}`);
};

for (const stat of [false, true])
  await compare(`scan: 3000 files${stat ? ' with figures' : ''}`, {
    native: walking(native().openScanner, stat),
    javascript: walking(openScanner, stat),
  });
