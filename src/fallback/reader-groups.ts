// Groups of small files in JavaScript: a few files at a time, one group when it is asked for.
import { createHash } from 'node:crypto';
import {
  type FileStat,
  type GroupPlan,
  type GroupReader,
  GroupRow,
  type Ledger,
  type RawFileGroup,
} from '../contract/index.js';
import { codeOf, messageOf } from '../util/errors.js';
import { ReaderFile } from './reader-file.js';
import { ReaderMemory } from './reader-memory.js';

/** Files open at a time. */
const RUN = 16;
/** The delivered one and the one being filled. */
const GROUPS = 2;
const MAX_FILES = 8192;
const ALIGNMENT = 16;

interface Failure {
  readonly code: string;
  readonly message: string;
}

/** A file that has been opened and measured, or failed to be. */
interface Measured {
  readonly file?: ReaderFile | undefined;
  readonly stat?: FileStat | undefined;
  /** Of a file whose size only reading tells. */
  readonly content?: Buffer;
  readonly length: number;
  readonly failure?: Failure | undefined;
}

/** A group while it is filled. */
interface Filling {
  arena: ArrayBuffer | undefined;
  used: number;
  readonly rows: { offset: number; length: number; stat: FileStat | undefined }[];
  readonly digests: (Buffer | undefined)[];
  readonly errors: { index: number; code: string; message: string }[];
}

export function createGroupReader(ledger: Ledger, plan: GroupPlan): GroupReader {
  return new FallbackGroupReader(ledger, plan);
}

class FallbackGroupReader implements GroupReader {
  readonly #plan: GroupPlan;
  readonly #memory: ReaderMemory;
  readonly #paths: Buffer[] = [];
  #measured: Measured[] = [];
  #filling = false;
  #ended = false;
  #isClosed = false;
  #wake: () => void = () => undefined;

  constructor(ledger: Ledger, plan: GroupPlan) {
    this.#plan = plan;
    this.#memory = new ReaderMemory(ledger, plan.account, GROUPS);
  }

  add(paths: Uint8Array, count: number): void {
    const bytes = Buffer.from(paths);
    for (let i = 0, at = 0; i < count; i++) {
      const end = bytes.indexOf(0, at);
      this.#paths.push(bytes.subarray(at, end));
      at = end + 1;
    }
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async next(): Promise<RawFileGroup | null> {
    this.#filling = true;
    try {
      return await this.#fill();
    } finally {
      this.#filling = false;
      if (this.#isClosed) await this.#shut();
    }
  }

  async #fill(): Promise<RawFileGroup | null> {
    const group: Filling = { arena: undefined, used: 0, rows: [], digests: [], errors: [] };
    while (!this.#isClosed && (await this.#measureMore(group)))
      if (!(await this.#placeMeasured(group))) break;
    if (!this.#isClosed && group.rows.length > 0) return this.#deliver(group);
    if (group.arena) this.#memory.giveBack(group.arena);
    this.#memory.close();
    return null;
  }

  retain(buffer: ArrayBuffer): void {
    this.#memory.retain(buffer);
  }

  release(buffer: ArrayBuffer): void {
    this.#memory.release(buffer);
  }

  close(): void {
    this.#isClosed = true;
    this.#memory.close();
    this.#wake();
    if (!this.#filling) void this.#shut();
  }

  /** Sees to it that there is a next file; false where the group is to be delivered, or nothing is left. */
  async #measureMore(group: Filling): Promise<boolean> {
    while (this.#measured.length === 0 && this.#paths.length === 0) {
      if (this.#ended || this.#isClosed || group.rows.length > 0) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#measured.length === 0)
      this.#measured = await Promise.all(this.#paths.splice(0, RUN).map((path) => this.#measure(path)));
    return true;
  }

  async #measure(path: Buffer): Promise<Measured> {
    const { maxFileBytes } = this.#plan;
    let file: ReaderFile | undefined;
    try {
      file = await ReaderFile.open(path);
      const { version: stat, madeUp } = file;
      const content = madeUp ? await readToEnd(file, maxFileBytes) : undefined;
      const length = content?.length ?? stat.size;
      if (length <= maxFileBytes) return content ? { file, stat, length, content } : { file, stat, length };
      await file.close();
      const size = content ? 'more' : length;
      const message = `expected a file of at most ${maxFileBytes} bytes but it has ${size}`;
      return { stat, length: 0, failure: { code: 'ERR_TOO_LARGE', message } };
    } catch (error) {
      await file?.close();
      return { stat: file?.version, length: 0, failure: failureOf(error) };
    }
  }

  /** Gives places to what fits and reads it; false where the group is full. */
  async #placeMeasured(group: Filling): Promise<boolean> {
    const reads: Promise<void>[] = [];
    for (let next = this.#measured[0]; next && !this.#isClosed; next = this.#measured[0]) {
      const failure = next.failure ?? this.#makeRoom(group, next.length);
      if (failure === 'full' || group.rows.length === MAX_FILES) break;
      this.#measured.shift();
      reads.push(this.#place(group, next, failure));
    }
    await Promise.all(reads);
    return this.#measured.length === 0;
  }

  /** Room for `length` more bytes in the group; `'full'` where another group has it. */
  #makeRoom(group: Filling, length: number): Failure | 'full' | undefined {
    if (length === 0) return undefined;
    if (group.arena) return group.used + length <= group.arena.byteLength ? undefined : 'full';
    const usual = length <= this.#plan.groupBytes ? this.#memory.take(this.#plan.groupBytes) : undefined;
    group.arena = usual ?? this.#memory.take(length);
    if (group.arena) return undefined;
    if (group.rows.length > 0) return 'full';
    const message = `expected room for ${length} bytes to read into, but the budget has less left`;
    return { code: 'ERR_BUDGET_EXCEEDED', message };
  }

  async #place(group: Filling, { file, stat, content, length }: Measured, failure?: Failure): Promise<void> {
    const index = group.rows.length;
    const row = { offset: group.used, length: failure ? 0 : length, stat };
    group.rows.push(row);
    group.used += Math.ceil(row.length / ALIGNMENT) * ALIGNMENT;
    if (failure) {
      group.errors.push({ index, ...failure });
      await file?.close();
      return;
    }
    try {
      const into = new Uint8Array(group.arena ?? new ArrayBuffer(0), row.offset, length);
      if (content) into.set(content);
      else await file?.readAll(into, 0);
      await file?.checkUnchanged();
      if (this.#plan.sha256) group.digests[index] = createHash('sha256').update(into).digest();
    } catch (error) {
      row.length = 0;
      group.errors.push({ index, ...failureOf(error) });
    } finally {
      await file?.close();
    }
  }

  #deliver({ arena, used, rows, digests, errors }: Filling): RawFileGroup {
    if (arena) this.#memory.lend(arena);
    const words = rows.length * GroupRow.words;
    const places = new Float64Array(words);
    const numbers = new BigInt64Array(places.buffer);
    for (const [index, { offset, length, stat }] of rows.entries()) {
      const at = index * GroupRow.words;
      places[at + GroupRow.offset] = offset;
      places[at + GroupRow.length] = length;
      if (!stat) continue;
      numbers[at + GroupRow.dev] = stat.dev;
      numbers[at + GroupRow.ino] = stat.ino;
      numbers[at + GroupRow.size] = BigInt(stat.size);
      numbers[at + GroupRow.mtimeNs] = stat.mtimeNs;
      numbers[at + GroupRow.ctimeNs] = stat.ctimeNs;
    }
    const hashes = new Uint8Array(this.#plan.sha256 ? rows.length * 32 : 0);
    for (const [index, digest] of digests.entries()) if (digest) hashes.set(digest, index * 32);
    const bytes = new Uint8Array(
      arena ?? new ArrayBuffer(0),
      0,
      arena ? Math.min(used, arena.byteLength) : 0,
    );
    return { count: rows.length, bytes, rows: places.buffer, digests: hashes.buffer, errors };
  }

  async #shut(): Promise<void> {
    await Promise.all(this.#measured.splice(0).map(({ file }) => file?.close()));
  }
}

async function readToEnd(file: ReaderFile, most: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  while (length <= most) {
    const piece = Buffer.alloc(Math.min(64 * 1024, most + 1 - length));
    const got = await file.read(piece, length);
    pieces.push(piece.subarray(0, got));
    length += got;
    if (got < piece.length) break;
  }
  return Buffer.concat(pieces);
}

function failureOf(error: unknown): Failure {
  return { code: codeOf(error) ?? 'EIO', message: messageOf(error) };
}
