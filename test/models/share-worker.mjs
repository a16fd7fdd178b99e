// Loads a graph with shared weights again and again, each time into another session, until it is terminated.
import { parentPort, workerData } from 'node:worker_threads';
import { ModelCache } from '../../dist/models/model-cache.js';

const { graph, loads } = workerData;
const cache = new ModelCache({ engine: 'native', device: 'cpu', threads: 1, shareWeights: true });
for (let concurrency = 1; concurrency <= loads; concurrency++) {
  await cache.acquire(graph, { concurrency });
  parentPort?.postMessage(concurrency);
}
setInterval(() => undefined, 1000);
