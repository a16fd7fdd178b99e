// The worker thread of the result store: answers requests one by one, in the order they came.
import { parentPort } from 'node:worker_threads';
import { codeOf, messageOf } from '../util/errors.js';
import { ResultTable } from './result-table.js';
import type { StoreAnswer, StoreCalls, StoreRequest } from './store-calls.js';
import { unpackChanges, unpackKeys } from './wire.js';

let table: ResultTable | undefined;

const handlers: {
  [C in keyof StoreCalls]: (argument: StoreCalls[C]['argument']) => StoreCalls[C]['answer'];
} = {
  open(file) {
    table = new ResultTable(file);
    return table.driver;
  },
  fingerprint: (text) => opened().fingerprint(text),
  find: (keys) => opened().find(unpackKeys(keys)),
  write(changes) {
    opened().write(unpackChanges(changes));
    return null;
  },
  close() {
    table?.close();
    // Nothing else keeps this thread: it ends by itself once the answer is delivered.
    parentPort?.unref();
    return null;
  },
};

parentPort?.on('message', (request: StoreRequest) => {
  const reply = answer(request);
  const transfer = 'result' in reply && reply.result instanceof ArrayBuffer ? [reply.result] : [];
  parentPort?.postMessage(reply, transfer);
});

function answer({ id, call, argument }: StoreRequest): StoreAnswer {
  try {
    return { id, result: (handlers[call] as (argument: unknown) => unknown)(argument) };
  } catch (error) {
    return { id, error: { code: codeOf(error) ?? 'ERR_CACHE_FAILED', message: messageOf(error) } };
  }
}

function opened(): ResultTable {
  if (!table) throw new Error('the store was used before it was opened');
  return table;
}
