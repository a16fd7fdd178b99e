// The metadata workload: what any file is, without understanding more of it than its type; texts are counted.
import { fileTypeOf, HEAD_BYTES } from '../extract/file-type.js';
import { type TextFigures, TextScanner } from '../extract/text.js';
import type { OpenWorkload, Outcome, Pieces, Workload } from '../pipeline/workload.js';

/** A file's result. Size, times and SHA-256 stand in the result line itself. */
export interface FileData {
  /** Media type by content. */
  readonly mime: string;
  readonly extension?: string;
  readonly text?: TextFigures;
}

/** Raised whenever a change of ours changes results. */
const VERSION = 1;
/** What the class itself, a head and a line of results take. */
const LEAST_BYTES = 8e6;

/** Type by content of every file, SHA-256, and for texts encoding, lines and words. Never holds a whole file. */
export function metadata(): Workload {
  return { name: 'metadata', open: async () => new OpenMetadata() };
}

class OpenMetadata implements OpenWorkload {
  readonly fingerprint = `metadata/${VERSION}`;
  readonly identity = 'stat';
  readonly leastBytes = LEAST_BYTES;
  readonly pending = 16;
  readonly reads = 'pieces';

  pieces(): Pieces {
    return new FilePieces();
  }

  observe(): void {}

  served(): undefined {
    return undefined;
  }

  summary(): Record<string, unknown> {
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class FilePieces implements Pieces {
  readonly #text = new TextScanner();
  #head: Uint8Array = new Uint8Array();

  update(piece: Uint8Array): void {
    if (this.#head.length < HEAD_BYTES)
      this.#head = Buffer.concat([this.#head, piece.subarray(0, HEAD_BYTES - this.#head.length)]);
    this.#text.update(piece);
  }

  async end(): Promise<Outcome> {
    const type = await fileTypeOf(this.#head);
    const text = this.#head.length > 0 ? this.#text.end() : undefined;
    // What the signatures do not know and what reads as text is text.
    const mime = text && type.extension === undefined ? 'text/plain' : type.mime;
    const data: FileData = { ...type, mime, ...(text && { text }) };
    return { kind: 'file', data };
  }
}
