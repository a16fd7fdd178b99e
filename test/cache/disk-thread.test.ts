import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DiskThread } from '../../src/cache/disk-thread.js';
import { connect, temporaryFolder } from './temporary.js';

describe('the thread of a disk cache', () => {
  it('rejects what is pending when it dies, and every call after', async () => {
    using folder = temporaryFolder();
    const thread = new DiskThread();
    const file = join(folder.path, 'cache.sqlite');
    await thread.call('open', { databaseFile: file, maxBytes: null });
    const writer = connect(file);
    writer.exec('BEGIN IMMEDIATE'); // The thread waits for this lock, so no answer can come before its end.
    const pending = [thread.call('clear', null), thread.call('stats', null)];
    const outcomes = Promise.allSettled(pending);
    const ended = thread.terminate();
    writer.close();
    await ended;
    const failed = { status: 'rejected', reason: expect.objectContaining({ code: 'ERR_CACHE_FAILED' }) };
    expect(await outcomes).toEqual([failed, failed]);
    await expect(thread.call('stats', null)).rejects.toMatchObject({ code: 'ERR_CACHE_FAILED' });
    await expect(thread.close()).rejects.toMatchObject({ code: 'ERR_CACHE_FAILED' });
  });

  it('survives what a call throws', async () => {
    using folder = temporaryFolder();
    const thread = new DiskThread();
    const missing = join(folder.path, 'missing', 'x');
    const opening = thread.call('open', { databaseFile: missing, maxBytes: null });
    await expect(opening).rejects.toMatchObject({ code: 'ERR_CACHE_FAILED' });
    await expect(opening).rejects.toThrow(`the cache ${missing} could not be used`);
    await thread.call('open', { databaseFile: join(folder.path, 'cache.sqlite'), maxBytes: null });
    expect(await thread.call('stats', null)).toMatchObject({ entries: 0 });
    await thread.close();
  });
});
