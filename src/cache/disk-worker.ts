// The worker thread of a disk cache: answers requests one by one, in the order they came.
import { parentPort } from 'node:worker_threads';
import { codeOf, messageOf } from '../util/errors.js';
import type { DiskAnswer, DiskCalls, DiskRequest } from './disk-calls.js';
import { DiskStore } from './disk-store.js';
import { unpackChanges, unpackKeys } from './disk-wire.js';

let store: DiskStore | undefined;

const handlers: {
  [C in keyof DiskCalls]: (argument: DiskCalls[C]['argument']) => DiskCalls[C]['answer'];
} = {
  open({ databaseFile, maxBytes }) {
    store = new DiskStore(databaseFile, maxBytes);
    return store.driver;
  },
  find: ({ keys, now }) => opened().find(unpackKeys(keys), now),
  has: ({ keys, now }) => opened().has(unpackKeys(keys), now),
  write({ changes, now }) {
    opened().write(unpackChanges(changes), now);
    return null;
  },
  clear() {
    opened().clear();
    return null;
  },
  stats: () => opened().stats(),
  verify: ({ after }) => opened().verify(after),
  orphans: ({ folder, remove }) => opened().orphans(folder, remove),
  prune: ({ now, maxBytes }) => opened().prune(now, maxBytes),
  compact() {
    opened().compact();
    return null;
  },
  close() {
    // Nothing else keeps this thread: it ends by itself once the answer is delivered.
    parentPort?.unref();
    store?.close();
    return null;
  },
};

parentPort?.on('message', (request: DiskRequest) => {
  const reply = answer(request);
  parentPort?.postMessage(reply, 'result' in reply ? buffersOf(reply.result) : []);
});

function answer({ id, call, argument }: DiskRequest): DiskAnswer {
  try {
    return { id, result: (handlers[call] as (argument: unknown) => unknown)(argument) };
  } catch (error) {
    return { id, error: { code: codeOf(error) ?? 'ERR_CACHE_FAILED', message: messageOf(error) } };
  }
}

/** The buffers of what was found are handed over rather than copied. */
function buffersOf(result: unknown): ArrayBuffer[] {
  if (typeof result !== 'object' || result === null || !('packed' in result)) return [];
  const { packed, objects } = result as DiskCalls['find']['answer'];
  return [packed, ...objects];
}

function opened(): DiskStore {
  if (!store) throw new Error('the cache was used before it was opened');
  return store;
}
