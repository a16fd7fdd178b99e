// scan(): validates, chooses, and turns a native walk into an async iterable of batches.
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { FileType, type ScanPlan } from '../contract/index.js';
import { native } from '../native/load.js';
import { invalidArgument, messageOf } from '../util/errors.js';
import { parseOptions, signalSchema } from '../util/options.js';
import { ScanBatch, type ScanFileType } from './batch.js';
import { expandBraces } from './braces.js';

/** A file or folder to walk: a path, the raw bytes of one, or a `file:` URL. */
export type ScanRoot = string | Uint8Array | URL;

/** A file by its numbers, as `fs.stat(path, { bigint: true })` gives them. */
export interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
}

export interface ScanOptions {
  /** Globs; only what matches one of them is delivered. Default: everything. */
  readonly include?: string | readonly string[] | undefined;
  /** Globs; what matches one of them is not delivered, and a folder that does is not entered. */
  readonly exclude?: string | readonly string[] | undefined;
  /** Types to deliver, or `'all'`. Default `'file'`. */
  readonly types?: 'all' | ScanFileType | readonly ScanFileType[] | undefined;
  /** Deliver size, times, device and inode as well; costs one system call a file. Default false. */
  readonly stat?: boolean | undefined;
  /** Follow symbolic links below the roots. Default false. */
  readonly follow?: boolean | undefined;
  /** Files and folders that are neither delivered nor entered, wherever they turn up. */
  readonly skip?: readonly FileId[] | undefined;
  /** Threads that read directories. Default: the cores of this process, at most 8. */
  readonly threads?: number | undefined;
  /** Records in a batch at most; the first batches are smaller, so that they come soon. Default 1024. */
  readonly batchFiles?: number | undefined;
  /** Ends the walk; the loop then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

const globs = v.optional(v.union([v.string(), v.array(v.string())]), []);
const typeName = v.picklist([...(Object.keys(FileType) as ScanFileType[]), 'all']);
const count = (most: number) => v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most));

const optionsSchema = v.strictObject({
  include: globs,
  exclude: globs,
  types: v.optional(v.union([typeName, v.array(typeName)]), 'file'),
  stat: v.optional(v.boolean(), false),
  follow: v.optional(v.boolean(), false),
  skip: v.optional(v.array(v.object({ dev: v.bigint(), ino: v.bigint() })), []),
  threads: v.optional(count(64)),
  batchFiles: v.optional(count(65_536), 1024),
  signal: signalSchema,
});

/**
 * Walks folders and delivers what is in them, in batches and in no particular order. Nothing is read before the
 * loop asks for its first batch; leaving the loop early ends the walk.
 *
 * A root that is a symbolic link is followed; links below are not unless `follow` says so. A folder that cannot
 * be read, or a root that does not exist, is a record with an `error`, never a rejection. Names that begin with a
 * dot are delivered like any others. With `follow`, a link to a folder above it is a record with `ELOOP`.
 *
 * Patterns: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `\` before a character that is to stand for itself, `**` for any
 * number of folders, a trailing `/` for folders only. A pattern without `/` is compared with the name at any
 * depth, any other with the path below the root; a root that is a file counts as lying in its folder.
 *
 * Throws `ERR_INVALID_ARGUMENT` at once; the loop rejects with `signal.reason`.
 */
export function scan(
  roots: ScanRoot | readonly ScanRoot[],
  options: ScanOptions = {},
): AsyncGenerator<ScanBatch, void, undefined> {
  const { signal, ...rest } = parseOptions(optionsSchema, options, 'options');
  const plan: ScanPlan = {
    roots: (isList(roots) ? roots : [roots]).map(rootBytes),
    include: patterns(rest.include, 'options.include'),
    exclude: patterns(rest.exclude, 'options.exclude'),
    types: typeBits(rest.types),
    stat: rest.stat,
    follow: rest.follow,
    threads: rest.threads ?? Math.min(native().cores(), 8),
    batchFiles: rest.batchFiles,
    skip: BigUint64Array.from(rest.skip.flatMap(({ dev, ino }) => [dev, ino])),
  };
  return walk(plan, signal);
}

async function* walk(
  plan: ScanPlan,
  signal: AbortSignal | undefined,
): AsyncGenerator<ScanBatch, void, undefined> {
  signal?.throwIfAborted();
  const scanner = native().openScanner(plan);
  const close = () => scanner.close();
  signal?.addEventListener('abort', close, { once: true });
  try {
    for (;;) {
      const raw = await scanner.next();
      signal?.throwIfAborted();
      if (!raw) return;
      yield new ScanBatch(raw);
      signal?.throwIfAborted();
    }
  } finally {
    signal?.removeEventListener('abort', close);
    close();
  }
}

function isList(roots: ScanRoot | readonly ScanRoot[]): roots is readonly ScanRoot[] {
  return Array.isArray(roots);
}

function rootBytes(root: ScanRoot): Uint8Array {
  const expected = 'a path, its bytes or a file: URL, not empty and without NUL,';
  const bytes = typeof root === 'string' ? Buffer.from(root) : root instanceof URL ? bytesOfUrl(root) : root;
  if (!(bytes instanceof Uint8Array) || bytes.length === 0 || bytes.includes(0))
    throw invalidArgument('roots', expected, root);
  return bytes;
}

function bytesOfUrl(url: URL): Uint8Array {
  try {
    return Buffer.from(fileURLToPath(url));
  } catch (error) {
    throw invalidArgument('roots', `a file: URL (${messageOf(error)})`, url.href);
  }
}

function patterns(given: string | readonly string[], name: string): string[] {
  const simple = (typeof given === 'string' ? [given] : given).flatMap((each) => expandBraces(each, name));
  for (const pattern of simple)
    if (/^[/]*$/.test(pattern) || pattern.includes('\0'))
      throw invalidArgument(name, 'a glob that can match', pattern);
  return simple;
}

function typeBits(types: ScanFileType | 'all' | readonly (ScanFileType | 'all')[]): number {
  const names = typeof types === 'string' ? [types] : types;
  if (names.length === 0) throw invalidArgument('options.types', 'at least one type', types);
  const all = Object.values(FileType).reduce((bits, bit) => bits | bit, 0);
  return names.reduce((bits, name) => bits | (name === 'all' ? all : FileType[name]), 0);
}
