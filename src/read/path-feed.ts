// Feeds paths to a group reader: far enough ahead that it never waits for them, never a long list at once.
import type { GroupReader } from '../contract/index.js';
import { bytesOfPath, type FilePath, isPathList } from './paths.js';

/** A path, or a list of paths such as a batch of a scan. */
type Item = FilePath | Iterable<FilePath>;

export type FilePaths = Iterable<Item> | AsyncIterable<Item>;

/** Paths that the reader has and has not delivered; it gets more below that. */
const AHEAD = 8192;
/** Paths that cross to the reader together. */
const BATCH = 1024;

/** Paths on their way, in order. */
export class PathFeed {
  readonly #reader: GroupReader;
  /** Undefined where the source is asynchronous, and at its end. */
  #source: Iterator<FilePath> | undefined;
  /** Given to the reader or about to be, and not yet taken back. */
  readonly #paths: FilePath[] = [];
  /** How many of them the reader has. */
  #given = 0;
  #flushing: NodeJS.Immediate | undefined;
  #closed = false;
  #failure: { readonly error: unknown } | undefined;
  #onRoom: () => void = () => undefined;

  constructor(reader: GroupReader, source: FilePaths) {
    this.#reader = reader;
    if (Symbol.asyncIterator in source) void this.#pump(source);
    else this.#source = flatten(source);
  }

  /** Gives the reader what there is, up to the bound. Throws what the source threw. */
  fill(): void {
    if (this.#failure) throw this.#failure.error;
    while (this.#source && this.#paths.length < AHEAD) {
      const { value, done } = this.#source.next();
      if (done) this.#end();
      else this.#add(value);
    }
    this.#flush();
  }

  /** Takes the next `count` paths back. */
  take(count: number): FilePath[] {
    const taken = this.#paths.splice(0, count);
    this.#given -= count;
    this.#onRoom();
    return taken;
  }

  /** Lets go of the source. */
  close(): void {
    this.#closed = true;
    this.#onRoom();
    this.#source?.return?.();
    this.#source = undefined;
  }

  /** Goes on while the loop does something else; the reader is closed where the source fails. */
  async #pump(source: AsyncIterable<Item>): Promise<void> {
    try {
      for await (const item of source) {
        for (const path of isPathList(item) ? item : [item]) {
          this.#add(path);
          if (this.#paths.length >= AHEAD) await this.#room();
          if (this.#closed) return;
        }
        // Together with what else arrives in this turn of the event loop.
        this.#flushing ??= setImmediate(() => this.#flush());
      }
      this.#end();
    } catch (error) {
      this.#failure = { error };
      this.#reader.close();
    }
  }

  #room(): Promise<void> {
    this.#flush();
    return new Promise((resolve) => {
      this.#onRoom = resolve;
    });
  }

  #add(path: FilePath): void {
    if (typeof path !== 'string' || path.includes('\0')) bytesOfPath(path, 'paths');
    this.#paths.push(path);
    if (this.#paths.length - this.#given >= BATCH) this.#flush();
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    const fresh = this.#paths.slice(this.#given);
    if (fresh.length === 0 || this.#closed) return;
    this.#given = this.#paths.length;
    this.#reader.add(joined(fresh), fresh.length);
  }

  #end(): void {
    this.#source = undefined;
    this.#flush();
    this.#reader.end();
  }
}

function* flatten(source: Iterable<Item>): Generator<FilePath, void, undefined> {
  for (const item of source)
    if (isPathList(item)) yield* item;
    else yield item;
}

function joined(paths: readonly FilePath[]): Uint8Array {
  // One long string is encoded many times faster than many short ones.
  if (paths.every((path) => typeof path === 'string')) return Buffer.from(`${paths.join('\0')}\0`);
  return Buffer.concat(paths.flatMap((path) => [bytesOfPath(path, 'paths'), NUL]));
}

const NUL = Buffer.of(0);
