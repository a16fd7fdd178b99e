// A `ValueInfoProto`: the name of an input or output and, where it is a tensor, its dimensions.
import { elementCount } from './element-types.js';
import { MAX_RANK } from './limits.js';
import type { FieldTable, MessageReader } from './message.js';
import { rejected } from './rejection.js';

/** The messages from a value to its dimensions: `TypeProto`, `TypeProto.Tensor`, `TensorShapeProto`, `Dimension`. */
const LEVELS: readonly FieldTable[] = [
  { 1: 'message' },
  { 2: 'message' },
  { 1: 'messages' },
  { 1: 'integer' },
];
/** What -1 reads as, by which some exporters mean a free dimension. */
const MINUS_ONE = 2 ** 64;

class DimsReader implements MessageReader {
  readonly fields: FieldTable;
  readonly where: () => string;
  readonly #level: number;
  readonly #take: (size: number) => void;

  constructor(level: number, where: () => string, take: (size: number) => void) {
    this.fields = LEVELS[level] ?? {};
    this.where = where;
    this.#level = level;
    this.#take = take;
  }

  integer(_field: number, size: number): void {
    this.#take(size);
  }

  open(): MessageReader {
    return new DimsReader(this.#level + 1, this.where, this.#take);
  }
}

const VALUE_FIELDS: FieldTable = { 1: 'text', 2: 'message' };

export class ValueReader implements MessageReader {
  readonly fields = VALUE_FIELDS;
  readonly #graph: () => string;
  readonly #kind: 'input' | 'output';
  readonly #done: (name: string) => void;
  readonly #dims: number[] = [];
  #name = '';

  constructor(graph: () => string, kind: 'input' | 'output', done: (name: string) => void) {
    this.#graph = graph;
    this.#kind = kind;
    this.#done = done;
  }

  where(): string {
    return `${this.#graph()}, ${this.#kind} '${this.#name}'`;
  }

  text(_field: number, value: string): void {
    this.#name = value;
  }

  open(): MessageReader {
    return new DimsReader(
      0,
      () => this.where(),
      (size) => {
        if (size !== MINUS_ONE && this.#dims.push(size) > MAX_RANK)
          throw rejected(this.where(), `expected at most ${MAX_RANK} dimensions`);
      },
    );
  }

  close(): void {
    if (elementCount(this.#dims) === undefined)
      throw rejected(this.where(), `dimensions [${this.#dims.join(', ')}] are out of range`);
    this.#done(this.#name);
  }
}
