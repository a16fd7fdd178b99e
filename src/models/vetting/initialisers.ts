// Where the raw data of a graph's own initialisers lies in a model that has been vetted, and is complete in itself.
import type { FieldTable, MessageReader, Span } from './message.js';
import { WireReader } from './wire.js';

export interface Initialiser {
  readonly name: string;
  /** Of `TensorProto.DataType`. */
  readonly typeNumber: number;
  readonly dims: readonly number[];
  /** Of its data in the model, and how long it is. */
  readonly offset: number;
  readonly bytes: number;
}

const TENSOR = { dims: 1, type: 2, name: 8, raw: 9 } as const;

class InitialiserReader implements MessageReader {
  /** Raw data as a message that nobody reads: of that its place is known. */
  readonly fields: FieldTable = {
    [TENSOR.dims]: 'integers',
    [TENSOR.type]: 'integer',
    [TENSOR.name]: 'text',
    [TENSOR.raw]: 'message',
  };
  readonly where = () => 'initialiser';
  readonly #done: (initialiser: Initialiser) => void;
  readonly #dims: number[] = [];
  #name = '';
  #typeNumber = 0;
  #data: Span | undefined;

  constructor(done: (initialiser: Initialiser) => void) {
    this.#done = done;
  }

  integer(field: number, value: number): void {
    if (field === TENSOR.dims) this.#dims.push(value);
    else this.#typeNumber = value;
  }

  text(_field: number, value: string): void {
    this.#name = value;
  }

  open(_field: number, span: Span): undefined {
    this.#data = span;
  }

  close(): void {
    if (!this.#data) return;
    const { bodyAt: offset, end } = this.#data;
    const [name, typeNumber, dims] = [this.#name, this.#typeNumber, this.#dims];
    this.#done({ name, typeNumber, dims, offset, bytes: end - offset });
  }
}

/** Fields of `ModelProto` and of `GraphProto`. */
const GRAPH = 7;
const INITIALISER = 5;

/** The initialisers with raw data, in the order of the model. */
export function rawInitialisers(model: Uint8Array): Initialiser[] {
  const found: Initialiser[] = [];
  const initialiser = () => new InitialiserReader((each) => found.push(each));
  const where = () => 'model';
  const graph: MessageReader = { fields: { [INITIALISER]: 'messages' }, where, open: initialiser };
  const wire = new WireReader({ fields: { [GRAPH]: 'message' }, where, open: () => graph }, model.length);
  wire.push(model);
  wire.end();
  return found;
}
