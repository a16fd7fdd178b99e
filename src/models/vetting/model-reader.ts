// A `ModelProto`: its graph and its functions. What is used for training alone, ONNX Runtime does not read.
import { KEPT_NOTHING, type KeptBytes, type Shareable } from './constants.js';
import type { ExternalTensor } from './external-reader.js';
import { FunctionReader } from './function-reader.js';
import { GraphReader } from './graph-reader.js';
import { Tally } from './limits.js';
import type { FieldTable, MessageReader } from './message.js';
import { Calls, Functions } from './operators.js';
import { rejected } from './rejection.js';
import type { TensorSink } from './tensor-reader.js';

const MODEL = { irVersion: 1, graph: 7, function: 25 } as const;

/** Version of the format in which the initialiser of an input became its default; before, every one was an input too. */
const DEFAULTS_SINCE = 4;

const MODEL_FIELDS: FieldTable = {
  [MODEL.irVersion]: 'integer',
  [MODEL.graph]: 'message',
  [MODEL.function]: 'messages',
};

/** An input of the graph, and where it begins in the model: at the number of its field, in one byte. */
export interface ModelInput {
  readonly name: string;
  readonly at: number;
}

export class ModelReader implements MessageReader {
  readonly fields = MODEL_FIELDS;
  /** Tensors whose data is in other files, in the order of the model. */
  readonly external: ExternalTensor[] = [];
  /** Of all tensors, wherever their data lies, as they will lie in memory. */
  weightBytes = 0;
  /** What stays once the graph is loaded and folded. */
  kept = KEPT_NOTHING;
  /** Initialisers that sessions of the model can share, by name. */
  shareable = new Map<string, Shareable>();
  #irVersion = 0;
  #graph: GraphReader | undefined;
  readonly #tally = new Tally();
  readonly #inner = new Set<string>();
  readonly #calls = new Calls();
  readonly #functions = new Functions();
  readonly #domains: ReadonlySet<string>;
  readonly #sink: TensorSink = {
    weigh: (bytes) => {
      this.weightBytes += bytes;
    },
    external: (tensor) => this.external.push(tensor),
    keep: (kept) => this.#keep(kept),
  };

  constructor(domains: ReadonlySet<string>) {
    this.#domains = domains;
  }

  where(): string {
    return 'model';
  }

  integer(_field: number, value: number): void {
    this.#irVersion = value;
  }

  open(field: number): MessageReader {
    const surroundings = { sink: this.#sink, tally: this.#tally, inner: this.#inner };
    if (field === MODEL.function)
      return new FunctionReader(surroundings, (operator, calls, where) =>
        this.#functions.add(operator, calls, where),
      );
    this.#graph = new GraphReader(() => 'graph', { ...surroundings, calls: this.#calls });
    return this.#graph;
  }

  get inputs(): readonly ModelInput[] {
    const { inputs = [], inputsAt = [] } = this.#graph ?? {};
    return inputs.map((name, index) => ({ name, at: inputsAt[index] as number }));
  }

  /** Names of the free dimensions of the graph's inputs. */
  get freeDimensions(): ReadonlySet<string> {
    return this.#graph?.freeDimensions ?? new Set();
  }

  close(): void {
    if (this.#irVersion === 0) throw rejected('model', 'expected the version of its format but it has none');
    if (!this.#graph) throw rejected('model', 'expected a graph but it has none');
    const { outputs } = this.#graph;
    if (outputs.length === 0) throw rejected('graph', 'expected an output but it has none');
    if (new Set(outputs).size < outputs.length)
      throw rejected('graph', 'expected outputs of different names');
    this.#functions.check(this.#calls, this.#domains);
    this.#keep(this.#graph.kept(this.#irVersion < DEFAULTS_SINCE ? [] : this.#graph.inputs));
    this.shareable = this.#graph.shareable();
    for (const name of this.#inner) this.shareable.delete(name);
  }

  #keep({ cpu, elsewhere, structure }: KeptBytes): void {
    const { kept } = this;
    this.kept = {
      cpu: kept.cpu + cpu,
      elsewhere: kept.elsewhere + elsewhere,
      structure: kept.structure + structure,
    };
  }
}
