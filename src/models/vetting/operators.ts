// Which operators a model calls: each from a domain that is allowed, or a function of the model that ends.
import { MAX_CALL_DEPTH, MAX_NODES } from './limits.js';
import { rejected } from './rejection.js';

/** ONNX's own domain, which models mostly write as the empty string. */
const STANDARD = 'ai.onnx';

/**
 * Domains whose operators ONNX Runtime implements for inference; the last two are those of graphs that it has
 * optimised. Not among them: `ai.onnx.training` and `ai.onnx.preview.training`, and whatever only a library of custom
 * operators provides.
 */
export const DEFAULT_DOMAINS: readonly string[] = [
  STANDARD,
  'ai.onnx.ml',
  'com.microsoft',
  'com.microsoft.nchwc',
  'com.ms.internal.nhwc',
];

/** Operators that make ONNX Runtime open a file of their choice: a context that an accelerator compiled. */
const OPENS_FILES: ReadonlySet<string> = new Set(['com.microsoft:EPContext']);

export function isStandard(domain: string): boolean {
  return domain === '' || domain === STANDARD;
}

/** What `NodeProto` and `FunctionProto` call an operator by. */
export interface Operator {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
}

interface Call {
  readonly operator: Operator;
  count: number;
  /** The first node that calls it. */
  readonly where: string;
}

/** The calls of the graph or of one function, those of graphs within their nodes included. */
export class Calls {
  readonly #calls = new Map<string, Call>();

  add(operator: Operator, where: () => string): void {
    const key = keyOf(operator);
    const call = this.#calls.get(key);
    if (call) call.count++;
    else this.#calls.set(key, { operator, count: 1, where: where() });
  }

  [Symbol.iterator](): Iterator<[string, Call]> {
    return this.#calls.entries();
  }
}

export class Functions {
  readonly #bodies = new Map<string, Calls>();
  /** Nodes that a call comes to; 0 while that is being found out. */
  readonly #sizes = new Map<string, number>();

  add(operator: Operator, calls: Calls, where: string): void {
    const key = keyOf(operator);
    if (this.#bodies.has(key)) throw rejected(where, 'the function is defined twice');
    this.#bodies.set(key, calls);
  }

  /**
   * Throws `ERR_MODEL_REJECTED` for an operator outside of `domains` that is no function of the model, a function
   * that calls itself, and functions that call each other so often that the whole has too many nodes.
   */
  check(graph: Calls, domains: ReadonlySet<string>): void {
    for (const calls of [graph, ...this.#bodies.values()])
      for (const [key, { operator, where }] of calls)
        if (!this.#bodies.has(key)) checkOperator(operator, where, domains);
    this.#sizeOf(graph, 0);
  }

  #sizeOf(calls: Calls, depth: number): number {
    let nodes = 0;
    for (const [key, { count, where }] of calls) {
      const body = this.#bodies.get(key);
      nodes += count * (body ? this.#sizeOfFunction(key, body, where, depth) : 1);
      if (nodes > MAX_NODES)
        throw rejected(
          where,
          `expected at most ${MAX_NODES} nodes once functions are replaced by their bodies`,
        );
    }
    return nodes;
  }

  #sizeOfFunction(key: string, body: Calls, where: string, depth: number): number {
    const known = this.#sizes.get(key);
    if (known === 0) throw rejected(where, 'the function calls itself');
    if (known !== undefined) return known;
    if (depth === MAX_CALL_DEPTH)
      throw rejected(where, `expected functions to call each other at most ${MAX_CALL_DEPTH} deep`);
    this.#sizes.set(key, 0);
    const size = Math.max(1, this.#sizeOf(body, depth + 1));
    this.#sizes.set(key, size);
    return size;
  }
}

function checkOperator({ domain, name }: Operator, where: string, domains: ReadonlySet<string>): void {
  if (name === '') throw rejected(where, 'expected an operator but it has no name');
  if (!domains.has(domain || STANDARD))
    throw rejected(
      where,
      `operator '${name}' is of the domain '${domain}', not of ${[...domains].map((known) => `'${known}'`).join(', ')}`,
    );
  if (OPENS_FILES.has(`${domain}:${name}`))
    throw rejected(where, `operator '${name}' opens files that cannot be vetted`);
}

function keyOf({ domain, name, overload }: Operator): string {
  return `${domain || STANDARD}\0${name}\0${overload}`;
}
