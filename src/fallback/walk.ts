// The directory walk in JavaScript, entry by entry: the rules of native/scan/reader. What `fs` cannot do: enter a
// folder relative to its parent, so a path beyond PATH_MAX is a record with ENAMETOOLONG.
import type { BigIntStats, Dir, Dirent, Stats } from 'node:fs';
import { lstat, opendir, stat } from 'node:fs/promises';
import { FileType, type ScanPlan } from '../contract/index.js';
import { codeOf, messageOf } from '../util/errors.js';
import { compileGlobs, type GlobSet } from './glob.js';

/** One record before it is put into columns. */
export interface Row {
  readonly path: Buffer;
  readonly type: number;
  readonly stat?: BigIntStats | undefined;
  readonly error?: { readonly code: string; readonly message: string };
}

/** Entries looked at together: bounds the calls in flight, and what is read beyond what was asked for. */
const CHUNK = 128;

interface Folder {
  readonly parent: Folder | undefined;
  readonly path: Buffer;
  /** Where the path relative to the root begins in the path of an entry. */
  readonly relative: number;
  /** Only where links are followed. */
  id?: { readonly dev: bigint; readonly ino: bigint };
}

/** What is known of an entry; `stat` is of the target where it is a link that was followed. */
interface Entry {
  readonly path: Buffer;
  readonly type: number;
  readonly stat?: BigIntStats | undefined;
  readonly throughLink?: boolean;
}

/** Walks and yields rows, a few at a time; an early return closes what is open. */
export class Walk {
  readonly #plan: ScanPlan;
  readonly #include: GlobSet;
  readonly #exclude: GlobSet;
  readonly #skip: ReadonlySet<string>;
  readonly #stack: Folder[] = [];

  constructor(plan: ScanPlan) {
    this.#plan = plan;
    this.#include = plan.include.length === 0 ? () => true : compileGlobs(plan.include);
    this.#exclude = compileGlobs(plan.exclude);
    const skip = new Set<string>();
    for (let i = 0; i + 1 < plan.skip.length; i += 2) skip.add(`${plan.skip[i]}:${plan.skip[i + 1]}`);
    this.#skip = skip;
  }

  async *rows(): AsyncGenerator<Row[], void, undefined> {
    for (const root of this.#plan.roots) {
      yield await this.#enterRoot(Buffer.from(root));
      for (let folder = this.#stack.pop(); folder; folder = this.#stack.pop()) yield* this.#read(folder);
    }
  }

  async #enterRoot(path: Buffer): Promise<Row[]> {
    const { types } = this.#plan;
    let found: BigIntStats;
    try {
      found = await stat(path, { bigint: true });
    } catch (error) {
      return [failure(path, error)];
    }
    const type = typeOf(found);
    const base = baseName(path);
    const directory = type === FileType.directory;
    if (this.#skips(found) || (!directory && this.#exclude(base, false))) return [];
    if (directory) this.#stack.push({ parent: undefined, path, relative: withSlash(path).length });
    if ((types & type) !== 0) return this.#include(base, directory) ? [{ path, type, stat: found }] : [];
    if (directory || type === FileType.file) return [];
    const message = `expected a file or a directory but found a ${nameOf(type)}`;
    return [{ path, type: FileType.unknown, error: { code: 'ERR_NOT_A_FILE', message } }];
  }

  async *#read(folder: Folder): AsyncGenerator<Row[], void, undefined> {
    let dir: Dir | undefined;
    try {
      dir = await openRaw(folder.path);
      if (this.#plan.follow) folder.id = await stat(folder.path, { bigint: true });
      const prefix = withSlash(folder.path);
      for (let chunk = await take(dir); chunk.length > 0; chunk = await take(dir)) {
        const considered = chunk.map((entry) => this.#consider(folder, prefix, entry));
        yield (await Promise.all(considered)).flatMap((row) => row ?? []);
      }
    } catch (error) {
      const vanished = folder.parent && codeOf(error) === 'ENOENT' && !this.#plan.stat;
      if (!vanished) yield [failure(folder.path, error)];
    } finally {
      await dir?.close();
    }
  }

  async #consider(folder: Folder, prefix: Buffer, { name, type }: RawEntry): Promise<Row | undefined> {
    const { types, follow } = this.#plan;
    const link = type === FileType.symlink && follow;
    const resolved = type !== FileType.unknown && !link;
    if (resolved && type !== FileType.directory && !(types & type)) return undefined;
    const path = Buffer.concat([prefix, name]);
    const relative = path.subarray(folder.relative);
    if (this.#exclude(relative, type === FileType.directory)) return undefined;
    const includedAsDirectory = this.#include(relative, true);
    let entry: Entry = { path, type };
    const statWanted = this.#plan.stat && includedAsDirectory && (types & type) !== 0;
    if (!resolved || statWanted || this.#skip.size > 0) {
      try {
        entry = await this.#lookAt(path, link);
      } catch (error) {
        const silent = codeOf(error) === 'ENOENT' && !link && !this.#plan.stat;
        return includedAsDirectory && !silent ? failure(path, error) : undefined;
      }
      if (entry.type === FileType.directory && this.#exclude(relative, true)) return undefined;
      if (entry.stat && this.#skips(entry.stat)) return undefined;
    }
    if (entry.type === FileType.directory) {
      if (entry.throughLink && isAncestor(folder, entry.stat))
        return includedAsDirectory ? loop(path) : undefined;
      this.#stack.push({ parent: folder, path, relative: folder.relative });
    }
    return types & entry.type && this.#include(relative, entry.type === FileType.directory)
      ? entry
      : undefined;
  }

  async #lookAt(path: Buffer, link: boolean): Promise<Entry> {
    const own = link ? undefined : await lstat(path, { bigint: true });
    if (own && !(this.#plan.follow && own.isSymbolicLink())) return { path, type: typeOf(own), stat: own };
    try {
      const target = await stat(path, { bigint: true });
      return { path, type: typeOf(target), stat: target, throughLink: true };
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || !(this.#plan.types & FileType.symlink)) throw error;
      const dangling = own ?? (await lstat(path, { bigint: true }));
      return { path, type: typeOf(dangling), stat: dangling };
    }
  }

  #skips({ dev, ino }: BigIntStats): boolean {
    return this.#skip.size > 0 && this.#skip.has(`${dev}:${ino}`);
  }
}

interface RawEntry {
  readonly name: Buffer;
  readonly type: number;
}

/** The declarations know names as strings only; with this encoding they are Buffers. */
function openRaw(path: Buffer): Promise<Dir> {
  const options = { encoding: 'buffer', bufferSize: 1024 } as unknown as Parameters<typeof opendir>[1];
  return opendir(path as unknown as string, options);
}

async function take(dir: Dir): Promise<RawEntry[]> {
  const entries: RawEntry[] = [];
  while (entries.length < CHUNK) {
    const entry = await dir.read();
    if (!entry) break;
    entries.push({ name: entry.name as unknown as Buffer, type: typeOf(entry) });
  }
  return entries;
}

function typeOf(entry: Dirent | Stats | BigIntStats): number {
  if (entry.isFile()) return FileType.file;
  if (entry.isDirectory()) return FileType.directory;
  if (entry.isSymbolicLink()) return FileType.symlink;
  if (entry.isFIFO()) return FileType.fifo;
  if (entry.isSocket()) return FileType.socket;
  if (entry.isBlockDevice()) return FileType.block;
  return entry.isCharacterDevice() ? FileType.character : FileType.unknown;
}

function nameOf(type: number): string {
  const name = Object.entries(FileType).find(([, bit]) => bit === type)?.[0] ?? 'something else';
  return type === FileType.block || type === FileType.character ? `${name} device` : name;
}

function isAncestor(folder: Folder, found: BigIntStats | undefined): boolean {
  for (let each: Folder | undefined = folder; each; each = each.parent)
    if (each.id?.dev === found?.dev && each.id?.ino === found?.ino) return true;
  return false;
}

function loop(path: Buffer): Row {
  const message = 'the link leads to a directory above it';
  return { path, type: FileType.unknown, error: { code: 'ELOOP', message } };
}

function failure(path: Buffer, error: unknown): Row {
  const code = codeOf(error);
  if (code === undefined) throw error;
  return { path, type: FileType.unknown, error: { code, message: messageOf(error) } };
}

function withSlash(path: Buffer): Buffer {
  return path.at(-1) === 0x2f ? path : Buffer.concat([path, Buffer.from('/')]);
}

function baseName(path: Buffer): Buffer {
  let end = path.length;
  while (end > 1 && path[end - 1] === 0x2f) end--;
  const trimmed = path.subarray(0, end);
  return trimmed.subarray(trimmed.lastIndexOf(0x2f) + 1);
}
