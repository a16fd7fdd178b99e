// `spillway run`: the main job, from arguments to exit code.
import { stat, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { sqliteDriver } from '../cache/disk-sqlite.js';
import { budgetBounds } from '../memory/presets.js';
import { native } from '../native/load.js';
import type { Run } from '../pipeline/run.js';
import { JsonlFileSink, JsonlStreamSink, partialName, type Sink } from '../pipeline/sinks/jsonl.js';
import type { Workload } from '../pipeline/workload.js';
import type { ScanBatch } from '../scan/batch.js';
import { type FileId, type ScanOptions, scan } from '../scan/scan.js';
import { Spillway } from '../spillway.js';
import { codeOf, invalidArgument, messageOf } from '../util/errors.js';
import { auto, metadata, photos } from '../workloads/index.js';
import { EXIT } from './exit-codes.js';
import { fitHeap } from './heap.js';
import { withAllMissing } from './missing-packages.js';
import { addModelOptions, type ModelCommandOptions, photosOptionsOf } from './model-options.js';
import { noteEvents } from './notes.js';
import { readPaths } from './paths.js';
import { jsonProgress, type ProgressView, plainProgress, terminalProgress } from './progress.js';
import { type RunState, summaryOf, summaryText } from './summary.js';

interface RunCommandOptions extends ModelCommandOptions {
  readonly workload: string;
  readonly budget: string;
  readonly cache: string | false;
  readonly include?: string[];
  readonly exclude?: string[];
  readonly follow?: true;
  readonly out?: string;
  readonly summary?: string;
  readonly device: 'auto' | 'cpu' | 'cuda' | 'webgpu';
  readonly workers?: number;
  readonly strict?: true;
  readonly thermal: boolean;
  readonly json?: true;
}

const WORKLOADS: Readonly<Record<string, (options: RunCommandOptions) => Workload>> = {
  auto: (options) => auto(photosOptionsOf(options)),
  photos: (options) => photos(photosOptionsOf(options)),
  metadata: withoutModel(metadata),
};
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** A file may take longer to decode than a person waits after Ctrl-C; what is stored is safe by then. */
const STOP_MS = 700;

/** Adds the command to the program. */
export function addRunCommand(program: Command): void {
  const run = program
    .command('run')
    .description('run a workload over files and folders; results are JSON lines')
    .argument('<path...>', "files and folders, or '-' for paths on standard input")
    .option('--workload <name>', `one of: ${Object.keys(WORKLOADS).join(', ')}`, 'auto');
  addModelOptions(run)
    .option('--budget <size>', "memory: '512MB', '2GiB', or a share of the limit that binds", '75%')
    .option('--cache <dir>', 'where results are kept', '.spillway')
    .option('--no-cache', 'keep nothing, and compute everything')
    .option('--include <glob...>', 'only files that match')
    .option('--exclude <glob...>', 'neither files nor folders that match')
    .option('--follow', 'follow symbolic links')
    .option('--out <file>', 'write the results to a .jsonl file instead of standard output')
    .option('--summary <file>', 'write the summary as JSON')
    .option('--device <name>', 'auto, cpu, cuda or webgpu', 'auto')
    .option('--workers <n>', 'files decoded at once (default: the cores this process may use)', Number)
    .option('--no-thermal', 'watch no temperatures: neither slow down nor pause when it is too hot')
    .option('--strict', 'stop at the first failed item')
    .option('--json', 'progress and summary as JSON lines on standard error')
    .action(async (paths: string[], options: RunCommandOptions, command: Command) => {
      const asked = command.getOptionValueSource('cache') !== 'default';
      process.exitCode = await runCommand(paths, options, asked).catch((error: unknown) => {
        throw withAllMissing(error);
      });
    });
}

async function runCommand(
  paths: readonly string[],
  given: RunCommandOptions,
  cacheAsked: boolean,
): Promise<number> {
  const options = cacheAsked ? given : withoutImpossibleCache(given);
  const workload = workloadOf(options);
  if (options.out !== undefined && !options.out.endsWith('.jsonl'))
    throw invalidArgument('--out', 'a file name that ends in .jsonl', options.out);
  fitHeap(budgetOf(options.budget));
  await using spillway = await Spillway.open({
    budget: options.budget,
    device: options.device,
    ...(!options.thermal && { thermal: false as const }),
    ...(options.cache !== false && { cacheDir: options.cache }),
  });
  const sink =
    options.out === undefined ? new JsonlStreamSink(process.stdout) : await JsonlFileSink.open(options.out);
  const scanOptions = await scanOptionsOf(options, spillway);
  const run = spillway.run(sourceOf(paths, scanOptions), workload, {
    ...(options.workers !== undefined && { workers: options.workers }),
  });
  const ending = await follow(run, spillway, sink, paths, scanOptions, options);
  const summary = summaryOf(options.workload, run.stats(), ending.state);
  if (options.summary !== undefined)
    await writeFile(options.summary, `${JSON.stringify(summary, null, 2)}\n`);
  if (options.json) process.stderr.write(`${JSON.stringify({ type: 'summary', ...summary })}\n`);
  else if (ending.state !== 'failed') process.stderr.write(summaryText(summary, options));
  if (ending.state === 'failed') throw ending.error;
  if (ending.state === 'stopped') {
    // A decoder that is still busy must not hold up who pressed Ctrl-C; what is computed is committed first.
    await spillway.store?.flush();
    process.exit(EXIT.stopped);
  }
  return summary.failed > 0 ? EXIT.someFailed : EXIT.done;
}

/** Only who asked for a cache is refused where this Node has no SQLite; everybody else is told. */
function withoutImpossibleCache(options: RunCommandOptions): RunCommandOptions {
  try {
    sqliteDriver();
    return options;
  } catch (error) {
    if (codeOf(error) !== 'ERR_MISSING_DEPENDENCY') throw error;
    const message = `no results are kept: ${messageOf(error)}`;
    process.stderr.write(
      options.json ? `${JSON.stringify({ type: 'note', message })}\n` : `spillway: ${message}\n`,
    );
    return { ...options, cache: false };
  }
}

interface Ending {
  readonly state: RunState;
  readonly error?: unknown;
}

/** Lets the run go on until it ends or somebody ends it, and moves its results into the sink. */
async function follow(
  run: Run,
  { thermal }: Spillway,
  sink: Sink,
  paths: readonly string[],
  scanOptions: ScanOptions,
  options: RunCommandOptions,
): Promise<Ending> {
  using view = viewOf(run, options);
  const ended = new AbortController();
  let onStop: () => void = () => undefined;
  const stopped = new Promise<Ending>((resolve) => {
    onStop = () => {
      run.abort();
      setTimeout(() => resolve({ state: 'stopped' }), STOP_MS).unref();
    };
  });
  const forget = noteEvents(view, thermal);
  for (const signal of STOP_SIGNALS) process.once(signal, onStop);
  process.stdout.once('error', onStop); // the reader of a pipe went away
  try {
    // Whatever goes wrong with it, the run's own walk meets as well.
    if (options.json || process.stderr.isTTY)
      expectTotals(run, paths, scanOptions, ended.signal).catch(() => undefined);
    return await Promise.race([move(run, sink, view, options.strict === true), stopped]);
  } finally {
    ended.abort();
    forget();
    for (const signal of STOP_SIGNALS) process.removeListener(signal, onStop);
    await sink.abandon();
  }
}

async function move(run: Run, sink: Sink, view: ProgressView, strict: boolean): Promise<Ending> {
  try {
    for await (const result of run) {
      await sink.write(result);
      if (!('error' in result)) continue;
      view.note(`${result.path}: ${result.error.code}: ${result.error.message}`);
      if (strict) return { state: 'strict' };
    }
    await sink.commit();
    return { state: 'done' };
  } catch (error) {
    // Ctrl-C, or a reader of our pipe that has seen enough.
    const stopped = (error as Error).name === 'AbortError' || codeOf(error) === 'EPIPE';
    return stopped ? { state: 'stopped' } : { state: 'failed', error };
  }
}

function viewOf(run: Run, { json }: RunCommandOptions): ProgressView {
  const read = () => run.progress();
  if (json) return jsonProgress(process.stderr, read);
  return process.stderr.isTTY ? terminalProgress(process.stderr, read) : plainProgress(process.stderr);
}

/** A walk of its own finds what there is to do long before the work is done, so that the bar knows its end. */
async function expectTotals(
  run: Run,
  paths: readonly string[],
  scanOptions: ScanOptions,
  signal: AbortSignal,
): Promise<void> {
  if (paths.includes('-')) return;
  let files = 0;
  let bytes = 0;
  for await (const batch of scan(paths, { ...scanOptions, signal }))
    for (const file of batch) {
      files++;
      bytes += file.size ?? 0;
    }
  run.expect(files, bytes);
}

async function* sourceOf(paths: readonly string[], options: ScanOptions): AsyncGenerator<ScanBatch> {
  const named = paths.filter((path) => path !== '-');
  if (named.length > 0) yield* scan(named, options);
  if (named.length === paths.length) return;
  for await (const batch of readPaths(process.stdin)) yield* scan(batch, options);
}

/** What is scanned, and never our own cache folder and outputs, whatever they are called. */
async function scanOptionsOf(options: RunCommandOptions, { store }: Spillway): Promise<ScanOptions> {
  const own: FileId[] = store ? [store.folder] : [];
  const outputs = [options.out, options.out && partialName(options.out), options.summary];
  for (const path of outputs) {
    if (path === undefined) continue;
    const found = await stat(path, { bigint: true }).catch(() => undefined); // not there yet: nothing to skip
    if (found) own.push(found);
  }
  return {
    stat: true,
    skip: own.map(({ dev, ino }) => ({ dev, ino })),
    ...(options.include && { include: options.include }),
    ...(options.exclude && { exclude: options.exclude }),
    ...(options.follow && { follow: true }),
  };
}

/** A workload that takes no graph of the user's own. */
function withoutModel(make: () => Workload): (options: RunCommandOptions) => Workload {
  return (options) => {
    const [given] = Object.entries(photosOptionsOf(options));
    if (given)
      throw invalidArgument(`photos.${given[0]}`, `nothing beside --workload ${options.workload}`, given[1]);
    return make();
  };
}

function workloadOf(options: RunCommandOptions): Workload {
  const make = WORKLOADS[options.workload];
  if (make) return make(options);
  throw invalidArgument('--workload', `one of ${Object.keys(WORKLOADS).join(', ')}`, options.workload);
}

/** Bytes of a budget under the limit of now. */
function budgetOf(budget: string): number {
  const { limitBytes } = native().governor.measure();
  const { residentBytes, limitShare } = budgetBounds({ budget }, limitBytes);
  return Math.min(residentBytes, limitShare * limitBytes);
}
