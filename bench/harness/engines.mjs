// Our model cache and onnxruntime-node, held the same way.

/**
 * @typedef {import('./graphs.mjs').feed} Feed
 * @typedef {{ run(x: ReturnType<Feed>): Promise<Float32Array>, bytes?(): number, close(): Promise<void> }} Engine
 */

/** @param {string} file @param {number} threads @returns {Promise<Engine>} */
export async function openOurs(file, threads) {
  const { ModelCache } = await import('../../dist/index.js');
  const cache = new ModelCache({ device: 'cpu', threads });
  const model = await cache.acquire(file);
  return {
    run: async (x) => /** @type {Float32Array} */ ((await model.run({ x })).y?.data),
    bytes: () => model.bytes,
    async close() {
      model[Symbol.dispose]();
      await cache.close();
    },
  };
}

/** @param {string} file @param {number} threads @returns {Promise<Engine>} */
export async function openStock(file, threads) {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(file, { intraOpNumThreads: threads });
  return {
    async run({ type, data, dims }) {
      const { y } = await session.run({ x: new Tensor(type, data, dims) });
      return /** @type {Float32Array} */ (y?.data);
    },
    close: () => session.release(),
  };
}

/** Outputs as a number: bitwise the same on the same library. @param {Float32Array} values */
export function fingerprint(values) {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let hash = 2166136261;
  for (const word of words) hash = Math.imul(hash ^ word, 16777619);
  return hash >>> 0;
}
