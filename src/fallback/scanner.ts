// The directory walk in JavaScript: puts the rows of a walk into batches, on demand.
import { isUtf8 } from 'node:buffer';
import type { RawScanBatch, Scanner, ScanPlan } from '../contract/index.js';
import { type Row, Walk } from './walk.js';

const FIRST_BATCH_FILES = 64;
const NUL = Buffer.of(0);

/** Opens a walk; nothing is read before the first `next`. */
export function openScanner(plan: ScanPlan): Scanner {
  return new FallbackScanner(plan);
}

class FallbackScanner implements Scanner {
  readonly #plan: ScanPlan;
  readonly #rows: AsyncGenerator<Row[], void, undefined>;
  readonly #closed: Promise<null>;
  #close: () => void = () => undefined;
  #left: Row[] = [];
  #target: number;
  #isClosed = false;

  constructor(plan: ScanPlan) {
    this.#plan = plan;
    this.#rows = new Walk(plan).rows();
    this.#target = Math.min(FIRST_BATCH_FILES, plan.batchFiles);
    this.#closed = new Promise((resolve) => {
      this.#close = () => resolve(null);
    });
  }

  next(): Promise<RawScanBatch | null> {
    return Promise.race([this.#closed, this.#fill()]);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#left = [];
    this.#close();
    // Waits in the generator's queue until the step in progress ends, then closes the folder that is open.
    void this.#rows.return();
  }

  async #fill(): Promise<RawScanBatch | null> {
    const rows = this.#left.splice(0, this.#target);
    while (rows.length < this.#target && !this.#isClosed) {
      const { value, done } = await this.#rows.next();
      if (done) break;
      const room = this.#target - rows.length;
      rows.push(...value.slice(0, room));
      this.#left.push(...value.slice(room));
    }
    this.#target = Math.min(this.#target * 2, this.#plan.batchFiles);
    return rows.length === 0 || this.#isClosed ? null : toColumns(rows, this.#plan.stat);
  }
}

function toColumns(rows: readonly Row[], stat: boolean): RawScanBatch {
  const paths = Buffer.concat(rows.flatMap(({ path }) => [path, NUL]));
  const kept = stat ? rows : [];
  const column = (name: 'mtimeNs' | 'ctimeNs' | 'dev' | 'ino') => kept.map((row) => row.stat?.[name] ?? 0n);
  return {
    count: rows.length,
    paths,
    utf8: isUtf8(paths),
    types: Uint8Array.from(rows, ({ type }) => type),
    size: Float64Array.from(kept, (row) => Number(row.stat?.size ?? 0n)),
    mtimeNs: BigInt64Array.from(column('mtimeNs')),
    ctimeNs: BigInt64Array.from(column('ctimeNs')),
    dev: BigUint64Array.from(column('dev')),
    ino: BigUint64Array.from(column('ino')),
    errors: rows.flatMap(({ error }, index) => (error ? [{ index, ...error }] : [])),
  };
}
