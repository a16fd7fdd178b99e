// Result lines from what a run learnt of a file.
import type { ScanFile } from '../scan/batch.js';
import { invalidArgument } from '../util/errors.js';
import type { Failure, FileEntry, KeptOutcome, Success } from './workload.js';

/** A scanned file as the pipeline carries it. Throws `ERR_INVALID_ARGUMENT` for a scan without stat. */
export function entryOf(file: ScanFile): FileEntry {
  const { path, pathBytes, size, mtimeNs, ctimeNs, dev, ino } = file;
  if (
    size === undefined ||
    mtimeNs === undefined ||
    ctimeNs === undefined ||
    dev === undefined ||
    ino === undefined
  )
    throw invalidArgument('source', 'what scan(…, { stat: true }) returns', 'a scan without stat');
  return { path, pathBytes, size, mtimeNs, ctimeNs, dev, ino };
}

export function successOf(file: FileEntry, { kind, data, sha256 }: KeptOutcome, cached: boolean): Success {
  const mtimeMs = Number(file.mtimeNs / 1000n) / 1000;
  return { ...pathOf(file), size: file.size, mtimeMs, kind, ...(sha256 && { sha256 }), cached, data };
}

export function failureOf(
  file: { readonly path: string; readonly pathBytes: Buffer; readonly size?: number },
  { code, message }: { readonly code: string; readonly message: string },
  cached: boolean,
): Failure {
  return {
    ...pathOf(file),
    ...(file.size !== undefined && { size: file.size }),
    cached,
    error: { code, message },
  };
}

/** A name that is not UTF-8 shows U+FFFD, so its bytes stand beside it. */
function pathOf({ path, pathBytes }: { readonly path: string; readonly pathBytes: Buffer }) {
  const lossy = path.includes('\ufffd') && !pathBytes.equals(Buffer.from(path));
  return lossy ? { path, pathBase64: pathBytes.toString('base64') } : { path };
}
