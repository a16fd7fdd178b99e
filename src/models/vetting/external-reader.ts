// Where a tensor says that its data lies: `TensorProto.external_data`, a list of keys and values.
import type { FieldTable, MessageReader, Span } from './message.js';
import { rejected } from './rejection.js';

/** A tensor whose data is in another file. */
export interface ExternalTensor {
  /** The path below the model's folder, in safe components. */
  readonly location: string;
  readonly offset: number;
  readonly bytes: number;
  readonly where: string;
  readonly name: string;
  readonly dims: readonly number[];
  readonly typeNumber: number;
  readonly span: Span;
}

const MAX_PATH = 4096;
const MAX_ENTRIES = 16;

const ENTRY_FIELDS: FieldTable = { 1: 'text', 2: 'text' };

/** `StringStringEntryProto`. */
class EntryReader implements MessageReader {
  readonly fields = ENTRY_FIELDS;
  readonly where: () => string;
  readonly #done: (key: string, value: string) => void;
  #key = '';
  #value = '';

  constructor(where: () => string, done: (key: string, value: string) => void) {
    this.where = where;
    this.#done = done;
  }

  text(field: number, value: string): void {
    if (field === 1) this.#key = value;
    else this.#value = value;
  }

  close(): void {
    this.#done(this.#key, this.#value);
  }
}

export class ExternalReader {
  readonly #where: () => string;
  readonly #entries = new Map<string, string>();

  constructor(where: () => string) {
    this.#where = where;
  }

  entry(): MessageReader {
    return new EntryReader(this.#where, (key, value) => {
      if (this.#entries.has(key)) throw rejected(this.#where(), `external data has two values for '${key}'`);
      if (this.#entries.set(key, value).size > MAX_ENTRIES)
        throw rejected(this.#where(), `expected at most ${MAX_ENTRIES} entries of external data`);
    });
  }

  /** The place of the data, which takes `bytes`. Throws `ERR_MODEL_REJECTED` where it leads out of the folder. */
  resolve(bytes: number): { location: string; offset: number; bytes: number } {
    const location = this.#location(this.#entries.get('location') ?? '');
    const offset = this.#number('offset') ?? 0;
    const length = this.#number('length') ?? bytes;
    if (length !== bytes)
      throw rejected(this.#where(), `expected ${bytes} bytes of external data but its length is ${length}`);
    return { location, offset, bytes };
  }

  #location(text: string): string {
    const parts = text.split('/').filter((part) => part !== '.' && part !== '');
    const problem =
      (parts.length === 0 && 'is no path') ||
      (text.startsWith('/') && 'is an absolute path') ||
      (parts.includes('..') && "leads out of the model's folder") ||
      (text.includes('\0') && 'has a zero byte') ||
      (text.length > MAX_PATH && 'is too long');
    if (problem)
      throw rejected(this.#where(), `external data at ${JSON.stringify(text.slice(0, 200))} ${problem}`);
    return parts.join('/');
  }

  #number(key: string): number | undefined {
    const text = this.#entries.get(key);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    throw rejected(
      this.#where(),
      `expected digits as the ${key} of external data but received ${JSON.stringify(text)}`,
    );
  }
}
