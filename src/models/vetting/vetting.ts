// Checks an ONNX model as its bytes come by, before ONNX Runtime sees it.
import type { KeptBytes, Shareable } from './constants.js';
import type { ExternalTensor } from './external-reader.js';
import { type ModelInput, ModelReader } from './model-reader.js';
import { DEFAULT_DOMAINS } from './operators.js';
import { rejected } from './rejection.js';
import { WireReader } from './wire.js';

/** What a sound model is made of. */
export interface VettedModel {
  /** Tensors whose data lies in other files, in the order of the model. */
  readonly external: readonly ExternalTensor[];
  readonly inputs: readonly ModelInput[];
  /** Bytes of all tensors once they are loaded, external and sparse ones included. */
  readonly weightBytes: number;
  /** What ONNX Runtime keeps of it, constants that it makes while it loads the model included. */
  readonly kept: KeptBytes;
  /** Initialisers that sessions of it can share, by name. */
  readonly shareable: ReadonlyMap<string, Shareable>;
  /** Names of the free dimensions of its inputs. */
  readonly freeDimensions: ReadonlySet<string>;
}

/** How ONNX Runtime's own format begins, after an offset of four bytes. */
const ORT_FORMAT = 'ORTM';

/** Push the bytes in any pieces, then end. Both throw `ERR_MODEL_REJECTED` with what is wrong, and where. */
export class ModelVetting {
  readonly #model: ModelReader;
  readonly #wire: WireReader;
  #started = false;

  /**
   * `length`: bytes of the whole model. `domains`: those of operators that are allowed beside
   * {@link DEFAULT_DOMAINS}; functions of the model itself may be of any.
   */
  constructor(length: number, domains: readonly string[] = []) {
    this.#model = new ModelReader(new Set([...DEFAULT_DOMAINS, ...domains]));
    this.#wire = new WireReader(this.#model, length);
  }

  /** The next bytes; they are not needed afterwards. */
  push(bytes: Uint8Array): void {
    if (!this.#started && Buffer.from(bytes.subarray(4, 8)).toString('latin1') === ORT_FORMAT)
      throw rejected(
        'model',
        "expected an ONNX model but it is in ONNX Runtime's own format, which cannot be vetted",
      );
    this.#started = true;
    this.#wire.push(bytes);
  }

  end(): VettedModel {
    this.#wire.end();
    const { external, inputs, weightBytes, kept, shareable, freeDimensions } = this.#model;
    return { external, inputs, weightBytes, kept, shareable, freeDimensions };
  }

  /** Tensors with data in other files that have come by until now. */
  get external(): readonly ExternalTensor[] {
    return this.#model.external;
  }
}
