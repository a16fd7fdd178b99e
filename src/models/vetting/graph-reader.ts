// A `GraphProto`: its nodes, what they start from and what comes out. Nodes may hold graphs again.
import { Constants, type KeptBytes, type Shareable } from './constants.js';
import { type Attribute, type Constant, FOLDING_ATTRIBUTES, MAX_INTEGERS } from './folding.js';
import { varintIntegers } from './integers.js';
import type { FieldTable, MessageReader, Span } from './message.js';
import { isStandard } from './operators.js';
import { rejected } from './rejection.js';
import { Scope } from './scope.js';
import { SparseTensorReader } from './sparse-tensor-reader.js';
import type { Surroundings } from './surroundings.js';
import { TensorReader } from './tensor-reader.js';
import { ValueReader } from './value-reader.js';

const GRAPH = { node: 1, initialiser: 5, input: 11, output: 12, sparse: 15 } as const;

const GRAPH_FIELDS: FieldTable = {
  [GRAPH.node]: 'messages',
  [GRAPH.initialiser]: 'messages',
  [GRAPH.input]: 'messages',
  [GRAPH.output]: 'messages',
  [GRAPH.sparse]: 'messages',
};

export class GraphReader implements MessageReader {
  readonly fields = GRAPH_FIELDS;
  readonly where: () => string;
  readonly inputs: string[] = [];
  /** Where each input begins in the model, with the number of its field. */
  readonly inputsAt: number[] = [];
  readonly outputs: string[] = [];
  /** Names of the free dimensions of its inputs. */
  readonly freeDimensions = new Set<string>();
  readonly #scope: Scope;
  readonly #constants = new Constants();
  readonly #surroundings: Surroundings;
  readonly #outer: ((name: string, user: string) => void) | undefined;

  /** `outer` takes the names that come from the graph around this one; without it, there must be none. */
  constructor(where: () => string, surroundings: Surroundings, outer?: (name: string, user: string) => void) {
    this.where = where;
    this.#surroundings = surroundings;
    this.#outer = outer;
    this.#scope = new Scope(where, surroundings.tally);
  }

  open(field: number, span: Span): MessageReader {
    const { tally, sink } = this.#surroundings;
    if (field === GRAPH.node)
      return new NodeReader(this.where, this.#scope, this.#constants, this.#surroundings);
    if (field === GRAPH.input) {
      this.inputsAt.push(span.headerAt - 1);
      return this.#value('input', this.inputs);
    }
    if (field === GRAPH.output) return this.#value('output', this.outputs);
    tally.add('tensors');
    const declare = (name: string, constant: Constant) => {
      this.#scope.initialiser(name);
      this.#constants.initialiser(name, constant);
    };
    if (field === GRAPH.sparse) return new SparseTensorReader(sink, this.where, declare);
    return new TensorReader(span, sink, this.where, ({ name, constant }) => declare(name, constant));
  }

  close(): void {
    for (const input of this.inputs) this.#scope.input(input);
    for (const output of this.outputs) this.#scope.use(output, 'the output of the graph');
    for (const [name, user] of this.#scope.free()) {
      if (!this.#outer)
        throw rejected(
          this.where(),
          `'${name}', used by ${user}, is neither an input, nor an initialiser, nor made by a node`,
        );
      this.#outer(name, user);
    }
    if (!this.#outer) return;
    this.#surroundings.sink.keep(this.kept(this.inputs));
    for (const name of this.#constants.names()) this.#surroundings.inner.add(name);
  }

  /** What it keeps of its constants, those that are defaults of `inputs` as they are. */
  kept(inputs: readonly string[]): KeptBytes {
    return this.#constants.kept(inputs, this.outputs);
  }

  /** Initialisers that sessions can share; known after {@link kept}. */
  shareable(): Map<string, Shareable> {
    return this.#constants.shareable();
  }

  #value(kind: 'input' | 'output', names: string[]): MessageReader {
    return new ValueReader(this.where, kind, (name, freeDimensions) => {
      this.#surroundings.tally.add('names');
      names.push(name);
      if (kind === 'input') for (const free of freeDimensions) this.freeDimensions.add(free);
    });
  }
}

const NODE = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7, overload: 8 } as const;

const NODE_FIELDS: FieldTable = {
  [NODE.input]: 'texts',
  [NODE.output]: 'texts',
  [NODE.name]: 'text',
  [NODE.operator]: 'text',
  [NODE.attribute]: 'messages',
  [NODE.domain]: 'text',
  [NODE.overload]: 'text',
};

export class NodeReader implements MessageReader {
  readonly fields = NODE_FIELDS;
  readonly #graph: () => string;
  readonly #scope: Scope;
  readonly #constants: Constants;
  readonly #surroundings: Surroundings;
  readonly #number: number;
  readonly #inputs: string[] = [];
  readonly #outputs: string[] = [];
  readonly #texts = new Map<number, string>();
  readonly #attributes = new Map<string, Attribute>();

  constructor(graph: () => string, scope: Scope, constants: Constants, surroundings: Surroundings) {
    surroundings.tally.add('nodes');
    this.#number = surroundings.tally.nodes;
    this.#graph = graph;
    this.#scope = scope;
    this.#constants = constants;
    this.#surroundings = surroundings;
  }

  /** Its name, else its operator; numbers count all nodes of the model from 1. */
  get label(): string {
    return this.#texts.get(NODE.name) || `${this.#texts.get(NODE.operator) ?? 'node'} ${this.#number}`;
  }

  where(): string {
    return `${this.#graph()}/${this.label}`;
  }

  text(field: number, value: string): void {
    if (field === NODE.input) this.#inputs.push(value);
    else if (field === NODE.output) this.#outputs.push(value);
    else this.#texts.set(field, value);
    if (field === NODE.input || field === NODE.output) this.#surroundings.tally.add('names');
  }

  open(): MessageReader {
    // What a graph within takes from this one is an input of the node, like those it lists.
    return new AttributeReader(
      this.#surroundings,
      () => this.where(),
      (name) => this.#inputs.push(name),
      (name, attribute) => FOLDING_ATTRIBUTES.has(name) && this.#attributes.set(name, attribute),
    );
  }

  close(): void {
    const node = `node '${this.label}'`;
    const text = (field: number) => this.#texts.get(field) ?? '';
    this.#surroundings.calls.add(
      { domain: text(NODE.domain), name: text(NODE.operator), overload: text(NODE.overload) },
      () => this.where(),
    );
    for (const input of this.#inputs) this.#scope.use(input, node);
    for (const output of this.#outputs) this.#scope.make(output, node);
    this.#constants.node({
      operator: isStandard(text(NODE.domain)) ? text(NODE.operator) : '',
      inputs: this.#inputs,
      outputs: this.#outputs,
      attributes: this.#attributes,
    });
  }
}

const ATTRIBUTE = {
  name: 1,
  integer: 3,
  tensor: 5,
  graph: 6,
  integers: 8,
  tensors: 10,
  graphs: 11,
  sparse: 22,
  sparses: 23,
} as const;

const ATTRIBUTE_FIELDS: FieldTable = {
  [ATTRIBUTE.name]: 'text',
  [ATTRIBUTE.integer]: 'varints',
  [ATTRIBUTE.integers]: 'varints',
  [ATTRIBUTE.tensor]: 'message',
  [ATTRIBUTE.graph]: 'message',
  [ATTRIBUTE.tensors]: 'messages',
  [ATTRIBUTE.graphs]: 'messages',
  [ATTRIBUTE.sparse]: 'message',
  [ATTRIBUTE.sparses]: 'messages',
};

/** `AttributeProto`; of numbers a few are looked at, strings are stepped over. */
export class AttributeReader implements MessageReader {
  readonly fields = ATTRIBUTE_FIELDS;
  readonly #surroundings: Surroundings;
  readonly #owner: () => string;
  readonly #outer: (name: string) => void;
  readonly #done: ((name: string, attribute: Attribute) => void) | undefined;
  readonly #attribute: Attribute = { integer: undefined, integers: [], tensor: undefined };
  #name = '';

  /** `outer` takes the names that a graph within uses and does not make. */
  constructor(
    surroundings: Surroundings,
    owner: () => string,
    outer: (name: string) => void,
    done?: (name: string, attribute: Attribute) => void,
  ) {
    this.#surroundings = surroundings;
    this.#owner = owner;
    this.#outer = outer;
    this.#done = done;
  }

  where(): string {
    return `${this.#owner()}.${this.#name}`;
  }

  text(_field: number, value: string): void {
    this.#name = value;
  }

  glimpse(field: number, bytes: Uint8Array): void {
    const { integers } = this.#attribute;
    if (field === ATTRIBUTE.integer) this.#attribute.integer = varintIntegers(bytes)[0];
    else if (integers.length <= MAX_INTEGERS) integers.push(...varintIntegers(bytes));
  }

  open(field: number, span: Span): MessageReader {
    const where = () => this.where();
    const { sink, tally } = this.#surroundings;
    if (field === ATTRIBUTE.graph || field === ATTRIBUTE.graphs)
      return new GraphReader(where, this.#surroundings, this.#outer);
    tally.add('tensors');
    if (field === ATTRIBUTE.sparse || field === ATTRIBUTE.sparses) return new SparseTensorReader(sink, where);
    return new TensorReader(span, sink, where, ({ constant }) => {
      this.#attribute.tensor = constant;
    });
  }

  close(): void {
    this.#done?.(this.#name, this.#attribute);
  }
}
