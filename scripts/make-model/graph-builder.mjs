// Builds a graph node by node: every call returns the name of the value it made.

import { encodeModel } from './encoder.mjs';

/**
 * @typedef {import('./encoder.mjs').ElementType} ElementType
 * @typedef {import('./encoder.mjs').Attribute} Attribute
 * @typedef {import('./encoder.mjs').ValueInfo} ValueInfo
 */

export class GraphBuilder {
  /** @type {import('./encoder.mjs').Node[]} */
  #nodes = [];
  /** @type {Record<string, import('./encoder.mjs').Tensor>} */
  #constants = {};

  /** An initialiser. @param {ElementType} type @param {readonly number[]} dims @param {ArrayLike<number>} data */
  constant(type, dims, data) {
    const name = `constant_${Object.keys(this.#constants).length}`;
    this.#constants[name] = { type, dims, data };
    return name;
  }

  /** A node of one output. @param {string} op @param {readonly string[]} inputs @param {Record<string, Attribute>} [attributes] */
  node(op, inputs, attributes) {
    const [output] = this.nodeOf(1, op, inputs, attributes);
    return /** @type {string} */ (output);
  }

  /** A node of `count` outputs. @param {number} count @param {string} op @param {readonly string[]} inputs @param {Record<string, Attribute>} [attributes] */
  nodeOf(count, op, inputs, attributes = {}) {
    const outputs = Array.from({ length: count }, (_, i) => `value_${this.#nodes.length}_${i}`);
    this.#nodes.push({ op, inputs, outputs, attributes });
    return outputs;
  }

  /**
   * The bytes of the model. `results` names the value that each output delivers.
   * @param {string} name
   * @param {readonly ValueInfo[]} inputs
   * @param {readonly (ValueInfo & { from: string })[]} results
   * @returns {Uint8Array}
   */
  encode(name, inputs, results) {
    const deliver = results.map(({ from, name: to }) => ({ op: 'Identity', inputs: [from], outputs: [to] }));
    const nodes = [...this.#nodes, ...deliver];
    return encodeModel({ name, inputs, outputs: results, nodes, constants: this.#constants });
  }
}
