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
  { 1: 'integer', 2: 'text' },
];
/** What -1 reads as, by which some exporters mean a free dimension. */
const MINUS_ONE = 2 ** 64;

class DimsReader implements MessageReader {
  readonly fields: FieldTable;
  readonly where: () => string;
  readonly #level: number;
  readonly #take: (size: number | string) => void;

  constructor(level: number, where: () => string, take: (size: number | string) => void) {
    this.fields = LEVELS[level] ?? {};
    this.where = where;
    this.#level = level;
    this.#take = take;
  }

  integer(_field: number, size: number): void {
    this.#take(size);
  }

  text(_field: number, name: string): void {
    this.#take(name);
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
  readonly #done: (name: string, freeDimensions: ReadonlySet<string>) => void;
  readonly #dims: number[] = [];
  readonly #free = new Set<string>();
  #name = '';

  constructor(
    graph: () => string,
    kind: 'input' | 'output',
    done: (name: string, freeDimensions: ReadonlySet<string>) => void,
  ) {
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
        if (typeof size === 'string') this.#free.add(size);
        else if (size !== MINUS_ONE) this.#dims.push(size);
        if (this.#dims.length + this.#free.size > MAX_RANK)
          throw rejected(this.where(), `expected at most ${MAX_RANK} dimensions`);
      },
    );
  }

  close(): void {
    if (elementCount(this.#dims) === undefined)
      throw rejected(this.where(), `dimensions [${this.#dims.join(', ')}] are out of range`);
    this.#done(this.#name, this.#free);
  }
}
