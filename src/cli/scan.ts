// `spillway scan`: what is there, as fast as the kernel tells.
import { once } from 'node:events';
import type { Command } from 'commander';
import type { ScanFile, ScanFileType } from '../scan/batch.js';
import { scan } from '../scan/scan.js';
import { invalidArgument } from '../util/errors.js';
import { EXIT } from './exit-codes.js';
import { readPaths } from './paths.js';

interface ScanCommandOptions {
  readonly type: string;
  readonly include?: string[];
  readonly exclude?: string[];
  readonly follow?: true;
  readonly stat?: true;
  readonly '0'?: true;
  readonly json?: true;
}

/** The letters of find's -type. */
const LETTERS: Readonly<Record<string, ScanFileType>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  s: 'socket',
  b: 'block',
  c: 'character',
};

/** Adds the command to the program. */
export function addScanCommand(program: Command): void {
  program
    .command('scan')
    .description('list files, one path a line; links are not followed')
    .argument('<path...>', "files and folders, or '-' for paths on standard input")
    .option('--type <letters>', 'f file, d directory, l link, p FIFO, s socket, b and c devices, or all', 'f')
    .option('--include <glob...>', 'only what matches')
    .option('--exclude <glob...>', 'neither files nor folders that match')
    .option('--follow', 'follow symbolic links')
    .option('--stat', 'size and modification time before each path; with --json also ctime, device and inode')
    .option('-0', 'raw bytes, each path ended by NUL')
    .option('--json', 'JSON lines')
    .action(async (paths: string[], options: ScanCommandOptions) => {
      process.exitCode = await scanCommand(paths, options);
    });
}

async function scanCommand(paths: readonly string[], options: ScanCommandOptions): Promise<number> {
  const scanOptions = {
    types: typesOf(options.type),
    stat: options.stat === true,
    follow: options.follow === true,
    ...(options.include && { include: options.include }),
    ...(options.exclude && { exclude: options.exclude }),
  };
  const end = Buffer.from(options['0'] ? '\0' : '\n');
  let failed = 0;
  const list = async (roots: readonly (string | Buffer)[]) => {
    for await (const batch of scan(roots, scanOptions)) {
      const out: Buffer[] = [];
      for (const file of batch) {
        if (file.error) {
          failed++;
          process.stderr.write(`${file.path}: ${file.error.code}: ${file.error.message}\n`);
        } else if (options.json) out.push(Buffer.from(`${JSON.stringify(lineOf(file, scanOptions.stat))}\n`));
        else if (scanOptions.stat)
          out.push(Buffer.from(`${file.size}\t${timeOf(file)}\t`), file.pathBytes, end);
        else out.push(file.pathBytes, end);
      }
      if (!process.stdout.write(Buffer.concat(out))) await once(process.stdout, 'drain');
    }
  };
  const named = paths.filter((path) => path !== '-');
  if (named.length > 0) await list(named);
  if (named.length < paths.length) for await (const batch of readPaths(process.stdin)) await list(batch);
  return failed > 0 ? EXIT.someFailed : EXIT.done;
}

function lineOf(file: ScanFile, stat: boolean): Record<string, unknown> {
  const { path, pathBytes, type } = file;
  const lossy = path.includes('\ufffd') && !pathBytes.equals(Buffer.from(path));
  return {
    path,
    ...(lossy && { pathBase64: pathBytes.toString('base64') }),
    type,
    ...(stat && {
      size: file.size,
      mtimeMs: Number((file.mtimeNs ?? 0n) / 1000n) / 1000,
      ctimeMs: Number((file.ctimeNs ?? 0n) / 1000n) / 1000,
      dev: String(file.dev),
      ino: String(file.ino),
    }),
  };
}

function timeOf(file: ScanFile): string {
  return new Date(Number((file.mtimeNs ?? 0n) / 1_000_000n)).toISOString();
}

function typesOf(letters: string): 'all' | ScanFileType[] {
  if (letters === 'all') return 'all';
  return [...letters.replaceAll(',', '')].map((letter) => {
    const type = LETTERS[letter];
    if (type) return type;
    throw invalidArgument('--type', `letters of ${Object.keys(LETTERS).join('')}, or all`, letters);
  });
}
