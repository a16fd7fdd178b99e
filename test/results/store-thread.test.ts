import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StoreThread } from '../../src/results/store-thread.js';
import { connect, temporaryFolder } from './temporary.js';

describe('the thread of the store', () => {
  it('rejects what is pending when it dies, and every call after', async () => {
    using folder = temporaryFolder();
    const thread = new StoreThread();
    const file = join(folder.path, 'results.sqlite');
    await thread.call('open', file);
    const writer = connect(file);
    writer.exec('BEGIN IMMEDIATE'); // The thread waits for this lock, so no answer can come before its end.
    const pending = [thread.call('fingerprint', 'a'), thread.call('find', new ArrayBuffer(0))];
    const outcomes = Promise.allSettled(pending);
    const ended = thread.terminate();
    writer.close();
    await ended;
    const failed = { status: 'rejected', reason: expect.objectContaining({ code: 'ERR_CACHE_FAILED' }) };
    expect(await outcomes).toEqual([failed, failed]);
    await expect(thread.call('fingerprint', 'b')).rejects.toMatchObject({ code: 'ERR_CACHE_FAILED' });
    await expect(thread.close()).rejects.toMatchObject({ code: 'ERR_CACHE_FAILED' });
  });

  it('survives what a call throws', async () => {
    using folder = temporaryFolder();
    const thread = new StoreThread();
    const missing = join(folder.path, 'missing', 'x');
    const opening = thread.call('open', missing);
    await expect(opening).rejects.toMatchObject({ code: 'ERR_CACHE_FAILED' });
    await expect(opening).rejects.toThrow(`the cache ${missing} could not be used`);
    await thread.call('open', join(folder.path, 'results.sqlite'));
    expect(await thread.call('fingerprint', 'a')).toBe(1);
    await thread.close();
  });
});
