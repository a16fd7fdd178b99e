// What a session keeps of one graph: its initialisers, and what ONNX Runtime makes of them when it loads the graph, less
// what nothing needs any more afterwards; and its nodes.
import { type Constant, type FoldingNode, fold } from './folding.js';

/** Bytes that a loaded graph keeps. */
export interface KeptBytes {
  /** Of constants, on the processor, where ONNX Runtime computes with float16 as float32. */
  readonly cpu: number;
  /** Of constants, on other devices. */
  readonly elsewhere: number;
  /** Of its nodes themselves, by estimate. */
  readonly structure: number;
}

export const KEPT_NOTHING: KeptBytes = { cpu: 0, elsewhere: 0, structure: 0 };

/**
 * What a node and its values take. Resident memory grew, with ONNX Runtime 1.30, by 5.6 kB a node for a chain of 2000, and
 * by 7 to 8 kB for light_resnet50 and light_shufflenet, their weights not counted.
 */
const NODE_BYTES = 6 << 10;

/** An initialiser that sessions of the graph can share, on the processor. */
export interface Shareable {
  /** What kernels pack of it. */
  readonly packed: number;
  /** What it counts for in {@link KeptBytes.cpu}. */
  readonly kept: number;
}

/** Which kinds of nodes use a constant once the graph is folded. */
interface Uses {
  /** Kernels that keep it in an order of their own. */
  packs: boolean;
  /** Others that compute with it. */
  computes: boolean;
  /** Nodes that only move elements, and take any type. */
  moves: boolean;
  /** Whether all of these leave it as it is, under its name: some optimisers change an initialiser in its place. */
  leave: boolean;
}

const FLOAT32 = 1;
const FLOAT16 = 10;
/** The matrix on the right is packed. */
const PACKS: ReadonlySet<string> = new Set(['MatMul', 'Gemm']);
/** Operators with a kernel for float16 on every processor. */
const MOVES: ReadonlySet<string> = new Set([
  ...['Concat', 'Expand', 'Flatten', 'Gather', 'GatherElements', 'GatherND', 'Identity', 'Reshape'],
  ...['ScatterElements', 'ScatterND', 'Shape', 'Slice', 'Split', 'Squeeze', 'Tile', 'Transpose', 'Unsqueeze'],
]);

export class Constants {
  readonly #known = new Map<string, Constant>();
  /** Nodes may come before the initialisers that they use. */
  readonly #nodes: FoldingNode[] = [];
  /** Those that nobody can replace. */
  readonly #initialisers = new Set<string>();
  readonly #uses = new Map<string, Uses>();

  initialiser(name: string, constant: Constant): void {
    this.#known.set(name, constant);
    this.#initialisers.add(name);
  }

  node(node: FoldingNode): void {
    this.#nodes.push(node);
  }

  /** Once all is there. An input's initialiser is its default: it is kept, and nothing is made of it ahead. */
  kept(inputs: readonly string[], outputs: readonly string[]): KeptBytes {
    const fixed = new Set([...inputs, ...outputs]);
    const uses = this.#uses;
    for (const node of this.#nodes) {
      const made = this.#fold(node, fixed);
      if (made) this.#known.set(node.outputs[0] as string, made);
      else for (const [at, name] of node.inputs.entries()) note(uses, name, node.operator, at);
    }
    for (const name of outputs) note(uses, name, 'Identity', 0);
    for (const name of inputs) this.#initialisers.delete(name);
    let cpu = 0;
    let elsewhere = 0;
    for (const [name, constant] of this.#known) {
      const use = uses.get(name);
      if (!use) continue;
      cpu += bytesOnCpu(constant, use);
      elsewhere += constant.bytes;
    }
    return { cpu, elsewhere, structure: this.#nodes.length * NODE_BYTES };
  }

  /** Initialisers that sessions can share, by name; known after {@link kept}. */
  shareable(): Map<string, Shareable> {
    const found = new Map<string, Shareable>();
    for (const name of this.#initialisers) {
      const constant = this.#known.get(name);
      const use = this.#uses.get(name);
      if (!constant || !use?.leave || (use.packs && constant.typeNumber !== FLOAT32)) continue;
      const packed = use.packs && constant.dims.length === 2 ? constant.bytes : 0;
      found.set(name, { packed, kept: bytesOnCpu(constant, use) });
    }
    return found;
  }

  /** All names that are constant or may become so. */
  *names(): Iterable<string> {
    yield* this.#known.keys();
    for (const { outputs } of this.#nodes) yield* outputs;
  }

  /** What a node makes, where that is known ahead; no output of the graph is. */
  #fold(node: FoldingNode, fixed: ReadonlySet<string>): Constant | undefined {
    const names = node.inputs.filter((name) => name !== '');
    const inputs = names.flatMap((name) => (fixed.has(name) ? [] : (this.#known.get(name) ?? [])));
    const single = node.outputs.length === 1 && !fixed.has(node.outputs[0] as string);
    return single && inputs.length === names.length ? fold(node, inputs) : undefined;
  }
}

function note(uses: Map<string, Uses>, name: string, operator: string, at: number): void {
  const use = uses.get(name) ?? { packs: false, computes: false, moves: false, leave: true };
  uses.set(name, use);
  const packs = PACKS.has(operator) && at === 1;
  use.leave &&= packs || (operator === 'Gather' && at === 0);
  if (packs) use.packs = true;
  else if (MOVES.has(operator)) use.moves = true;
  else use.computes = true;
}

/** A packed copy takes the place of the original, unless that is needed as well. */
function bytesOnCpu({ typeNumber, bytes }: Constant, { packs, computes, moves }: Uses): number {
  if (typeNumber === FLOAT32) return packs && (computes || moves) ? 2 * bytes : bytes;
  if (typeNumber !== FLOAT16) return bytes;
  return (moves ? bytes : 0) + 2 * bytes * (Number(packs) + Number(computes));
}
