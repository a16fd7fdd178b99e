// A `FunctionProto`: an operator that the model defines itself, by nodes.
import { Constants } from './constants.js';
import { AttributeReader, NodeReader } from './graph-reader.js';
import type { FieldTable, MessageReader } from './message.js';
import { Calls, type Operator } from './operators.js';
import { rejected } from './rejection.js';
import { Scope } from './scope.js';
import type { Surroundings } from './surroundings.js';

const FUNCTION = { name: 1, input: 4, output: 5, node: 7, domain: 10, attribute: 11, overload: 13 } as const;

const FUNCTION_FIELDS: FieldTable = {
  [FUNCTION.name]: 'text',
  [FUNCTION.input]: 'texts',
  [FUNCTION.output]: 'texts',
  [FUNCTION.node]: 'messages',
  [FUNCTION.domain]: 'text',
  [FUNCTION.attribute]: 'messages',
  [FUNCTION.overload]: 'text',
};

export class FunctionReader implements MessageReader {
  readonly fields = FUNCTION_FIELDS;
  readonly where = () => `function '${this.#texts.get(FUNCTION.name) ?? ''}'`;
  readonly #surroundings: Surroundings;
  readonly #done: (operator: Operator, calls: Calls, where: string) => void;
  readonly #scope: Scope;
  readonly #constants = new Constants();
  readonly #texts = new Map<number, string>();
  readonly #inputs: string[] = [];
  readonly #outputs: string[] = [];

  constructor(
    shared: Omit<Surroundings, 'calls'>,
    done: (operator: Operator, calls: Calls, where: string) => void,
  ) {
    shared.tally.add('functions');
    this.#surroundings = { ...shared, calls: new Calls() };
    this.#done = done;
    this.#scope = new Scope(this.where, shared.tally);
  }

  text(field: number, value: string): void {
    if (field === FUNCTION.input) this.#input(value);
    else if (field === FUNCTION.output) this.#output(value);
    else this.#texts.set(field, value);
  }

  open(field: number): MessageReader {
    if (field === FUNCTION.node)
      return new NodeReader(this.where, this.#scope, this.#constants, this.#surroundings);
    const use = (name: string) => this.#scope.use(name, 'an attribute');
    return new AttributeReader(this.#surroundings, this.where, use);
  }

  close(): void {
    for (const output of this.#outputs) this.#scope.use(output, 'the output of the function');
    for (const [name, user] of this.#scope.free())
      throw rejected(this.where(), `'${name}', used by ${user}, is neither an input nor made by a node`);
    const text = (field: number) => this.#texts.get(field) ?? '';
    const operator = {
      domain: text(FUNCTION.domain),
      name: text(FUNCTION.name),
      overload: text(FUNCTION.overload),
    };
    this.#done(operator, this.#surroundings.calls, this.where());
    this.#surroundings.sink.keep(this.#constants.kept(this.#inputs, this.#outputs));
  }

  #input(name: string): void {
    this.#scope.input(name);
    this.#inputs.push(name);
  }

  #output(name: string): void {
    this.#surroundings.tally.add('names');
    this.#outputs.push(name);
  }
}
