// readFiles(): many whole files, in groups, by several threads.
import * as v from 'valibot';
import type { AccountId, GroupPlan } from '../contract/index.js';
import { native } from '../native/load.js';
import { invalidArgument } from '../util/errors.js';
import { parseOptions, signalSchema } from '../util/options.js';
import { parseSize, type Size } from '../util/sizes.js';
import { FileGroup } from './group.js';
import { type FilePaths, PathFeed } from './path-feed.js';

export interface ReadOptions {
  /** Bytes of content in a group; a larger file has a group of its own. Default `'8MB'`. */
  readonly groupBytes?: Size | undefined;
  /** Larger files are errors, `ERR_TOO_LARGE`. Default `'64MB'`. */
  readonly maxFileBytes?: Size | undefined;
  /** Compute the SHA-256 of each file, on the reading threads. Default false. */
  readonly sha256?: boolean | undefined;
  /** Threads that read. Default: the cores of this process, at most 8. */
  readonly threads?: number | undefined;
  /** The ledger account charged for the arenas, as `MemoryManager.account` gives it. Default: `read`. */
  readonly account?: AccountId | undefined;
  /** Ends the reading; the loop then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

const size = v.union([v.number(), v.string()]);
const optionsSchema = v.strictObject({
  groupBytes: v.optional(size, '8MB'),
  maxFileBytes: v.optional(size, '64MB'),
  sha256: v.optional(v.boolean(), false),
  threads: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(64))),
  account: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  signal: signalSchema,
});

const MOST = 2 ** 30;

/**
 * Reads files whole and delivers them in groups, in the order of `paths`, each file once. Up to three groups are
 * in memory: the one the loop looks at and two on their way. Paths are taken some thousands ahead; what `scan`
 * yields may be given as it is. Where paths come slowly a group is delivered before it is full.
 *
 * A group is valid until the loop turns; then its contents have length 0, unless it was retained. What outlives
 * the turn (also an asynchronous write of a content) needs `retain()`, or a copy.
 *
 * A file that cannot be read never ends the loop: `errorAt(i)` says why. `ERR_FILE_CHANGED` where size or times
 * were no longer the same after it was read, `ERR_TRUNCATED` where it ended early, `ERR_NOT_A_FILE` for anything
 * but a regular file (a FIFO is not waited for), `ERR_TOO_LARGE`, `ERR_BUDGET_EXCEEDED` where the budget has no
 * room for it even alone, else the system's code. Files that the kernel makes up (/proc, /sys) have no size and
 * no version: they are read to their end, whatever that is by then.
 *
 * Throws `ERR_INVALID_ARGUMENT` at once for an option, in the loop for a path; the loop rejects with
 * `signal.reason`, and with what the source of the paths throws.
 */
export function readFiles(
  paths: FilePaths,
  options: ReadOptions = {},
): AsyncGenerator<FileGroup, void, undefined> {
  const { signal, ...given } = parseOptions(optionsSchema, options, 'options');
  if (Object(paths) !== paths || !(Symbol.iterator in paths || Symbol.asyncIterator in paths))
    throw invalidArgument('paths', 'an iterable of paths', paths);
  const groupBytes = parseSize(given.groupBytes, 'options.groupBytes');
  const maxFileBytes = parseSize(given.maxFileBytes, 'options.maxFileBytes');
  if (groupBytes < 1 || groupBytes > MOST)
    throw invalidArgument('options.groupBytes', 'a size from 1 byte to 1 GiB', given.groupBytes);
  if (maxFileBytes > MOST)
    throw invalidArgument('options.maxFileBytes', 'a size of at most 1 GiB', given.maxFileBytes);
  const plan: GroupPlan = {
    groupBytes,
    maxFileBytes,
    sha256: given.sha256,
    threads: given.threads ?? Math.min(native().cores(), 8),
    account: given.account ?? native().ledger.account('read', 0),
    lend: true,
  };
  return groups(plan, paths, signal);
}

async function* groups(
  plan: GroupPlan,
  paths: FilePaths,
  signal: AbortSignal | undefined,
): AsyncGenerator<FileGroup, void, undefined> {
  signal?.throwIfAborted();
  const reader = native().openGroupReader(plan);
  const feed = new PathFeed(reader, paths);
  const close = () => reader.close();
  signal?.addEventListener('abort', close, { once: true });
  let current: FileGroup | undefined;
  try {
    for (;;) {
      feed.fill();
      const raw = await reader.next();
      signal?.throwIfAborted();
      if (!raw) break;
      current = new FileGroup(reader, raw, feed.take(raw.count));
      yield current;
      current.expire();
      signal?.throwIfAborted();
    }
    feed.fill();
  } finally {
    signal?.removeEventListener('abort', close);
    current?.expire();
    feed.close();
    close();
  }
}
