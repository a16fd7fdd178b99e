// Results as JSON lines: into a file that takes its name when it is complete, or to a stream.
import { once } from 'node:events';
import { type FileHandle, open, rename } from 'node:fs/promises';
import type { Result } from '../workload.js';

/** Where the results of a run go. */
export interface Sink {
  write(result: Result): Promise<void>;
  /** Everything is there: makes it final. */
  commit(): Promise<void>;
  /** The run ended early: leaves what there is beside the final name. Harmless after `commit`. */
  abandon(): Promise<void>;
}

const BUFFER_CHARS = 64 * 1024;

/** Writes `path` through `path.partial`, renamed by `commit`. */
export class JsonlFileSink implements Sink {
  readonly #path: string;
  readonly #file: FileHandle;
  #text = '';
  #open = true;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<JsonlFileSink> {
    return new JsonlFileSink(path, await open(partialName(path), 'w'));
  }

  async write(result: Result): Promise<void> {
    this.#text += `${JSON.stringify(result)}\n`;
    if (this.#text.length >= BUFFER_CHARS) await this.#flush();
  }

  async commit(): Promise<void> {
    await this.#flush();
    await this.#file.sync();
    await this.#close();
    await rename(partialName(this.#path), this.#path);
  }

  async abandon(): Promise<void> {
    if (!this.#open) return;
    await this.#flush();
    await this.#close();
  }

  async #flush(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    if (text) await this.#file.write(text);
  }

  async #close(): Promise<void> {
    this.#open = false;
    await this.#file.close();
  }
}

/** Writes to a stream such as standard output, at the reader's pace. */
export class JsonlStreamSink implements Sink {
  readonly #stream: NodeJS.WritableStream;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
  }

  async write(result: Result): Promise<void> {
    if (this.#stream.write(`${JSON.stringify(result)}\n`)) return;
    await once(this.#stream, 'drain');
  }

  async commit(): Promise<void> {}
  async abandon(): Promise<void> {}
}

/** The name under which an unfinished file stands. */
export function partialName(path: string): string {
  return `${path}.partial`;
}
