// Run inside a folder where the package was installed without its optional peers: what must work there.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { ByteCache, detectDevice, nativeReport, openChunks, readFiles, scan } from 'spillway';

const { loaded, reason } = nativeReport();
assert.equal(loaded, true, reason);
assert.match(reason, /\/prebuilds\/linux-x64\//);

const paths = [];
for await (const batch of scan('samples', { stat: true })) for (const file of batch) paths.push(file.path);
assert.equal(paths.length, 2);

let bytes = 0;
for await (const chunk of openChunks('samples/a.txt', { chunkBytes: '64KB' })) bytes += chunk.bytes.length;
assert.equal(bytes, 3);
let read = 0;
for await (const group of readFiles(paths)) read += group.length;
assert.equal(read, 2);

const cache = new ByteCache({ name: 'smoke', maxBytes: '1MB' });
cache.set('key', Buffer.from('value'));
assert.deepEqual(cache.get('key'), new Uint8Array(Buffer.from('value')));

assert.equal(typeof detectDevice().device, 'string');

// Where this Node can require an ES module, both ways lead to the same one.
if (process.features.require_module) {
  const required = createRequire(import.meta.url)('spillway');
  assert.equal(required.scan, scan);
}
