// Handing over the chunks of a file, native against JavaScript: node bench/micro/read.mjs
import { createFallback } from '../../dist/fallback/index.js';
import { native } from '../../dist/native/load.js';
import { bigFile, touchPages } from '../harness/contents.mjs';
import { compare } from './compare.mjs';

const MEGABYTES = 20;
const file = await bigFile(MEGABYTES);

/** @param {Pick<import('../../src/contract/index.js').NativeSide, 'openChunkReader' | 'ledger'>} side @param {number} chunkBytes */
const reading = (side, chunkBytes) => async () => {
  const reader = side.openChunkReader({
    path: Buffer.from(file),
    chunkBytes,
    start: 0,
    end: Number.POSITIVE_INFINITY,
    slots: 4,
    sha256: false,
    account: side.ledger.account('bench', 0),
  });
  let bytes = 0;
  for (let chunk = await reader.next(); chunk; chunk = await reader.next()) {
    touchPages(chunk, bytes);
    bytes += chunk.length;
    reader.release(chunk.buffer);
  }
  reader.close();
  if (bytes !== MEGABYTES * 1e6) throw new Error(`expected ${MEGABYTES} MB but read ${bytes} bytes`);
};

const javascript = createFallback();
for (const chunkBytes of [65_536, 1_000_000])
  await compare(`read: ${MEGABYTES} MB in chunks of ${chunkBytes}`, {
    native: reading(native(), chunkBytes),
    javascript: reading(javascript, chunkBytes),
  });
