// `spillway cache`: look at a cache folder, check it, mend it, empty it.
import type { Command } from 'commander';
import { DiskCache } from '../cache/disk-cache.js';
import { formatSize } from '../util/sizes.js';
import { EXIT } from './exit-codes.js';

interface CacheCommandOptions {
  readonly json?: true;
  readonly maxBytes?: string;
}

type Figures = Readonly<Record<string, unknown>>;
type Action = (cache: DiskCache, options: CacheCommandOptions) => Promise<{ figures: Figures; exit: number }>;

/** Adds the command to the program. */
export function addCacheCommand(program: Command): void {
  const cache = program.command('cache').description('look at a cache folder, check it, mend it, empty it');
  const add = (name: string, description: string, action: Action) =>
    cache
      .command(name)
      .description(description)
      .argument('<dir>', 'the cache folder; anything else is refused and left alone')
      .option('--json', 'JSON')
      .action(async (dir: string, options: CacheCommandOptions) => {
        process.exitCode = await withCache(dir, options, action);
      });
  add('stats', 'entries and bytes', stats);
  add('verify', 'read everything; exit 1 where something is damaged', verify);
  add('prune', 'remove what has expired and what belongs to nothing, give space back', prune).option(
    '--max-bytes <size>',
    'and entries, until the folder takes no more than this',
  );
  add('clear', 'remove every entry', clear);
}

async function stats(cache: DiskCache) {
  const { entries, bytes, driver } = await cache.stats();
  return { figures: { entries, bytes, driver: `${driver.name} ${driver.version}` }, exit: EXIT.done };
}

async function verify(cache: DiskCache) {
  const figures = await cache.verify();
  return { figures, exit: figures.corrupt > 0 ? EXIT.someFailed : EXIT.done };
}

async function prune(cache: DiskCache, { maxBytes }: CacheCommandOptions) {
  return { figures: await cache.prune(maxBytes === undefined ? {} : { maxBytes }), exit: EXIT.done };
}

async function clear(cache: DiskCache) {
  const { entries: removed } = await cache.stats();
  await cache.clear();
  return { figures: { removed, bytes: (await cache.stats()).bytes }, exit: EXIT.done };
}

async function withCache(dir: string, options: CacheCommandOptions, action: Action): Promise<number> {
  await using cache = await DiskCache.open(dir, { create: false });
  const { figures, exit } = await action(cache, options);
  const lines = Object.entries(figures).map(
    ([name, value]) => `${name}: ${name === 'bytes' ? formatSize(value as number) : value}`,
  );
  process.stdout.write(options.json ? `${JSON.stringify(figures)}\n` : `${lines.join('\n')}\n`);
  return exit;
}
