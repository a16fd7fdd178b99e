// Runs the chain graph it is given and answers with one element of the result.
import { parentPort, workerData } from 'node:worker_threads';
import { ModelCache } from '../../dist/models/model-cache.js';

const cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1 });
const model = await cache.acquire(workerData);
const { y } = await model.run({
  x: { type: 'float32', dims: [8, 128], data: new Float32Array(8 * 128).fill(1) },
});
parentPort?.postMessage(y.data[5]);
