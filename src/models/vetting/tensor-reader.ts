// A `TensorProto`: whether its data is as long as its dimensions say.

import type { KeptBytes } from './constants.js';
import { bytesOf, type ElementType, elementCount, elementType, TYPED_DATA } from './element-types.js';
import { ExternalReader, type ExternalTensor } from './external-reader.js';
import { type Constant, MAX_INTEGERS } from './folding.js';
import { rawIntegers, varintIntegers } from './integers.js';
import { MAX_RANK } from './limits.js';
import type { FieldTable, MessageReader, Span } from './message.js';
import { rejected } from './rejection.js';

const FIELD = { dims: 1, type: 2, segment: 3, name: 8, raw: 9, external: 13, location: 14 } as const;
/** `TensorProto.DataLocation`; 0 is the model itself. */
const EXTERNAL = 1;

/** What a tensor is told to, once it is known to be sound. */
export interface TensorSink {
  /** Bytes the tensor takes in memory. */
  weigh(bytes: number): void;
  external(tensor: ExternalTensor): void;
  /** What a graph keeps once it is loaded. */
  keep(kept: KeptBytes): void;
}

const TENSOR_FIELDS: FieldTable = {
  [FIELD.dims]: 'integers',
  [FIELD.type]: 'integer',
  [FIELD.segment]: 'message',
  [FIELD.name]: 'text',
  [FIELD.raw]: 'payload',
  [FIELD.external]: 'messages',
  [FIELD.location]: 'integer',
  [TYPED_DATA.float]: 'floats',
  [TYPED_DATA.int32]: 'varints',
  [TYPED_DATA.string]: 'payloads',
  [TYPED_DATA.int64]: 'varints',
  [TYPED_DATA.double]: 'doubles',
  [TYPED_DATA.uint64]: 'varints',
};

export class TensorReader implements MessageReader {
  readonly fields = TENSOR_FIELDS;
  name = '';
  /** Of `TensorProto.DataType`. */
  typeNumber = 0;
  readonly dims: number[] = [];
  /** Elements, 0 until the tensor has ended. */
  count = 0;
  #location = 0;
  #external: ExternalReader | undefined;
  #integers: number[] = [];
  #raw: Uint8Array | undefined;
  /** Numbers or bytes by field, and bytes of text. */
  readonly #data = new Map<number, number>();
  #textBytes = 0;
  #bytes = 0;
  readonly #span: Span;
  readonly #sink: TensorSink;
  readonly #owner: () => string;
  readonly #done: ((tensor: TensorReader) => void) | undefined;

  /** `owner`: the place of what it belongs to; `done` is called once it has proved sound. */
  constructor(span: Span, sink: TensorSink, owner: () => string, done?: (tensor: TensorReader) => void) {
    this.#span = span;
    this.#sink = sink;
    this.#owner = owner;
    this.#done = done;
  }

  where(): string {
    return `${this.#owner()}, tensor '${this.name}'`;
  }

  integer(field: number, value: number): void {
    if (field === FIELD.type) this.typeNumber = value;
    else if (field === FIELD.location) this.#location = value;
    else if (this.dims.push(value) > MAX_RANK)
      throw rejected(this.where(), `expected at most ${MAX_RANK} dimensions`);
  }

  text(_field: number, value: string): void {
    this.name = value;
  }

  glimpse(field: number, bytes: Uint8Array): void {
    if (field === FIELD.raw) this.#raw = Uint8Array.from(bytes);
    else if (field !== TYPED_DATA.string && this.#integers.length <= MAX_INTEGERS)
      this.#integers.push(...varintIntegers(bytes));
  }

  sized(field: number, size: number): void {
    if (field === TYPED_DATA.string) this.#textBytes += size;
    this.#data.set(field, (this.#data.get(field) ?? 0) + (field === TYPED_DATA.string ? 1 : size));
  }

  open(field: number): MessageReader {
    if (field === FIELD.segment)
      throw rejected(this.where(), 'expected a whole tensor, not a segment of one');
    this.#external ??= new ExternalReader(() => this.where());
    return this.#external.entry();
  }

  close(): void {
    const type = elementType(this.typeNumber);
    if (!type)
      throw rejected(this.where(), `expected the number of an element type but it is ${this.typeNumber}`);
    const count = elementCount(this.dims);
    if (count === undefined)
      throw rejected(this.where(), `dimensions [${this.dims.join(', ')}] are out of range`);
    this.count = count;
    if (this.#location > EXTERNAL)
      throw rejected(this.where(), `data is at an unknown location, ${this.#location}`);
    if (this.#location === EXTERNAL || this.#external) this.#closeExternal(type);
    else this.#checkData(type);
    this.#bytes = bytesOf(type, count) + this.#textBytes;
    this.#sink.weigh(this.#bytes);
    this.#done?.(this);
  }

  /** What it is once it has ended. */
  get constant(): Constant {
    const { typeNumber, dims, count } = this;
    const integers = this.#raw ? rawIntegers(typeNumber, this.#raw) : this.#integers;
    const known = integers?.length === count && count <= MAX_INTEGERS ? integers : undefined;
    return { typeNumber, dims, bytes: this.#bytes, integers: known };
  }

  /** All elements are in the one field meant for them, no more and no fewer. */
  #checkData(type: ElementType): void {
    const filled = [...this.#data].filter(([, size]) => size > 0).map(([field]) => field);
    const raw = filled.includes(FIELD.raw);
    if (raw && type.field === TYPED_DATA.string)
      throw rejected(this.where(), 'expected strings, not raw bytes');
    const stray = filled.find((field) => field !== (raw ? FIELD.raw : type.field));
    if (stray !== undefined)
      throw rejected(this.where(), `expected ${type.name} in one field but field ${stray} holds data too`);
    const expected = raw ? bytesOf(type, this.count) : Math.ceil(this.count * type.entries);
    const received = this.#data.get(raw ? FIELD.raw : type.field) ?? 0;
    if (received === expected) return;
    throw rejected(
      this.where(),
      `${type.name} [${this.dims.join(', ')}] takes ${expected} ${raw ? 'bytes' : 'entries'} but ${received} are there`,
    );
  }

  #closeExternal(type: ElementType): void {
    const { name, dims } = this;
    if (this.#location !== EXTERNAL || !this.#external)
      throw rejected(this.where(), 'expected external data to be named and marked as such, or neither');
    if ([...this.#data.values()].some((size) => size > 0))
      throw rejected(this.where(), 'expected data in the model or in another file, not in both');
    if (type.field === TYPED_DATA.string) throw rejected(this.where(), 'expected strings within the model');
    const bytes = bytesOf(type, this.count);
    const source = this.#external.resolve(bytes);
    const where = this.where();
    this.#sink.external({ ...source, where, name, dims, typeNumber: this.typeNumber, span: this.#span });
  }
}
