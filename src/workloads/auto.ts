// The auto workload: photos go to photos, any other file to metadata.
import { imageFormatOf } from '../extract/image.js';
import type {
  Inspection,
  OpenWorkload,
  Outcome,
  Parts,
  Pieces,
  Served,
  Workload,
} from '../pipeline/workload.js';
import { metadata } from './metadata.js';
import { type PhotosOptions, photos } from './photos.js';

/** Chooses by the content of each file; the options are those of photos. */
export function auto(options: PhotosOptions = {}): Workload {
  return {
    name: 'auto',
    async open(parts: Parts, signal: AbortSignal) {
      return new OpenAuto(await photos(options).open(parts, signal), await metadata().open(parts, signal));
    },
  };
}

class OpenAuto implements OpenWorkload {
  readonly fingerprint: string;
  readonly identity = 'content';
  readonly leastBytes: number;
  readonly #photos: OpenWorkload;
  readonly #files: OpenWorkload;

  constructor(photos: OpenWorkload, files: OpenWorkload) {
    this.fingerprint = `auto/1 ${photos.fingerprint} ${files.fingerprint}`;
    this.leastBytes = Math.max(photos.leastBytes, files.leastBytes);
    this.#photos = photos;
    this.#files = files;
  }

  readonly reads = (head: Uint8Array) => (imageFormatOf(head) ? 'whole' : 'pieces');

  get pending(): number {
    return Math.max(this.#photos.pending, this.#files.pending);
  }

  async ready(): Promise<void> {
    await this.#photos.ready?.();
  }

  async inspect(bytes: Uint8Array): Promise<Inspection> {
    if (!this.#photos.inspect) throw new TypeError('expected photos to read files whole');
    return this.#photos.inspect(bytes);
  }

  pieces(): Pieces {
    if (!this.#files.pieces) throw new TypeError('expected metadata to read files in pieces');
    return this.#files.pieces();
  }

  observe(path: string, outcome: Outcome): void {
    (outcome.kind === 'photo' ? this.#photos : this.#files).observe(path, outcome);
  }

  served(): Served | undefined {
    return this.#photos.served();
  }

  summary(): Record<string, unknown> {
    return { ...this.#files.summary(), ...this.#photos.summary() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#photos[Symbol.asyncDispose]();
    await this.#files[Symbol.asyncDispose]();
  }
}
