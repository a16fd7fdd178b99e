// A `SparseTensorProto`. ONNX Runtime makes a dense tensor of it, so that is what it weighs.
import { bytesOf, elementCount, elementType } from './element-types.js';
import type { Constant } from './folding.js';
import { MAX_RANK } from './limits.js';
import type { FieldTable, MessageReader, Span } from './message.js';
import { rejected } from './rejection.js';
import { TensorReader, type TensorSink } from './tensor-reader.js';

const SPARSE = { values: 1, indices: 2, dims: 3 } as const;
/** Indices are int64. */
const INDEX_TYPE = 7;

const SPARSE_TENSOR_FIELDS: FieldTable = {
  [SPARSE.values]: 'message',
  [SPARSE.indices]: 'message',
  [SPARSE.dims]: 'integers',
};

export class SparseTensorReader implements MessageReader {
  readonly fields = SPARSE_TENSOR_FIELDS;
  readonly #dims: number[] = [];
  #values: TensorReader | undefined;
  #indices: TensorReader | undefined;
  readonly #sink: TensorSink;
  readonly #owner: () => string;
  readonly #done: ((name: string, constant: Constant) => void) | undefined;

  /** `done` is called with the whole, whose name is that of its values, once it has proved sound. */
  constructor(sink: TensorSink, owner: () => string, done?: (name: string, constant: Constant) => void) {
    this.#sink = sink;
    this.#owner = owner;
    this.#done = done;
  }

  where(): string {
    return `${this.#owner()}, sparse tensor '${this.#values?.name ?? ''}'`;
  }

  integer(_field: number, value: number): void {
    if (this.#dims.push(value) > MAX_RANK)
      throw rejected(this.where(), `expected at most ${MAX_RANK} dimensions`);
  }

  open(field: number, span: Span): MessageReader {
    const tensor = new TensorReader(span, this.#sink, this.#owner);
    if (field === SPARSE.values) this.#values = tensor;
    else this.#indices = tensor;
    return tensor;
  }

  close(): void {
    const count = elementCount(this.#dims);
    if (count === undefined)
      throw rejected(this.where(), `dimensions [${this.#dims.join(', ')}] are out of range`);
    const type = this.#values && elementType(this.#values.typeNumber);
    if (!this.#values || !type) throw rejected(this.where(), 'expected values');
    this.#checkIndices(this.#values.count);
    const bytes = bytesOf(type, count);
    this.#sink.weigh(bytes);
    const { name, typeNumber } = this.#values;
    this.#done?.(name, { typeNumber, dims: this.#dims, bytes, integers: undefined });
  }

  /** One index for each value, or one for each of its dimensions. */
  #checkIndices(values: number): void {
    const dims = this.#indices?.dims ?? [0];
    const fits =
      dims[0] === values && (dims.length === 1 || (dims.length === 2 && dims[1] === this.#dims.length));
    if (fits && (this.#indices?.typeNumber ?? INDEX_TYPE) === INDEX_TYPE) return;
    throw rejected(
      this.where(),
      `expected int64 indices of ${values} values but they are [${dims.join(', ')}]`,
    );
  }
}
