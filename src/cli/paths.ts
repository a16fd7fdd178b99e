// The paths a command is given: as arguments, or on standard input.
import type { Readable } from 'node:stream';

/**
 * Paths from a stream as they come, as raw bytes, in batches: separated by NUL if the first block contains one, else
 * by line ends. Empty ones are skipped.
 */
export async function* readPaths(input: Readable): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  let separator: number | undefined;
  for await (const block of input) {
    rest = Buffer.concat([rest, block as Buffer]);
    separator ??= rest.includes(0) ? 0 : 10;
    const batch: Buffer[] = [];
    let start = 0;
    for (let end = rest.indexOf(separator); end >= 0; end = rest.indexOf(separator, start)) {
      if (end > start) batch.push(Buffer.from(rest.subarray(start, end)));
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (batch.length > 0) yield batch;
  }
  if (rest.length > 0) yield [rest];
}
