// The paths a command is given: as arguments, or on standard input.
import type { Readable } from 'node:stream';

const BATCH = 1024;

/**
 * Paths from a stream in batches, as raw bytes: separated by NUL if the first block contains one, else by line
 * ends. Empty ones are skipped.
 */
export async function* readPaths(input: Readable): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  let separator: number | undefined;
  let batch: Buffer[] = [];
  for await (const block of input) {
    rest = Buffer.concat([rest, block as Buffer]);
    separator ??= rest.includes(0) ? 0 : 10;
    for (let end = rest.indexOf(separator); end >= 0; end = rest.indexOf(separator)) {
      if (end > 0) batch.push(Buffer.from(rest.subarray(0, end)));
      rest = rest.subarray(end + 1);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
  }
  if (rest.length > 0) batch.push(rest);
  if (batch.length > 0) yield batch;
}
