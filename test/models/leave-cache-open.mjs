// Acquires a model through the stock engine, prints the child's number and ends without closing anything.
import { readdirSync, readFileSync } from 'node:fs';
import { ModelCache } from '../../dist/models/model-cache.js';
import { encodeModel } from '../../scripts/make-model/encoder.mjs';

const value = (name) => ({ name, type: 'float32', dims: ['n'] });
const graph = encodeModel({
  name: 'identity',
  inputs: [value('x')],
  outputs: [value('y')],
  nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
  constants: {},
});
await new ModelCache({ engine: 'stock', device: 'cpu' }).acquire(graph);

for (const task of readdirSync('/proc/self/task')) {
  const children = readFileSync(`/proc/self/task/${task}/children`, 'utf8').trim();
  if (children) console.log(children.split(' ')[0]);
}
