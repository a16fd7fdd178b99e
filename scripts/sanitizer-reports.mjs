// Reads what sanitizers wrote and keeps what is ours: in a process of uninstrumented code they also report on others.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../native/', import.meta.url));
const FRAME = /^ *#\d+ .*$/gm;
/** What stands between the code that did it and the sanitizer: the runtime library itself, libc and libstdc++. */
const RUNTIME = /libsanitizer|lib[at]san\.so|libstdc\+\+\.so|include\/c\+\+\/|libc\.so|libpthread\.so/;
/** Paragraphs of a race report that tell where something came from rather than what happened. */
const ORIGIN = /^(Thread T|Location is|Mutex M\d+ \(.*\) created|SUMMARY)/;

/**
 * The reports below `folder`, one file per process. Of what ThreadSanitizer says counts where the addon itself did
 * one side of it, of leaks what was allocated under the addon; everything else (a bad access, undefined behaviour,
 * a sanitizer that fails) always counts.
 */
export function readReports(folder) {
  const texts = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), 'utf8'));
  const reports = texts.flatMap(reportsIn);
  const counted = reports.filter(({ ours }) => ours).map(({ text }) => withSymbols(text.trim()));
  return { counted, foreign: reports.length - counted.length };
}

/** @param {string} text */
export function reportsIn(text) {
  const reports = text
    .split(/^=+$|^ThreadSanitizer: reported \d+ warnings$/m)
    .filter((part) => part.trim() !== '');
  return reports.flatMap((report) => {
    if (/WARNING: ThreadSanitizer/.test(report)) return { text: report, ours: racesWithUs(report) };
    if (!/ERROR: LeakSanitizer: detected memory leaks/.test(report)) return { text: report, ours: true };
    return paragraphs(report)
      .filter((part) => /^(Direct|Indirect) leak of/.test(part))
      .map((part) => ({ text: part, ours: isOurs(part) }));
  });
}

/**
 * Whether the addon, rather than ONNX Runtime or Node on its behalf, made one of the accesses. Not where they are to a
 * file descriptor that others opened: ThreadSanitizer sees neither our openat nor libuv's closing, and so takes a
 * descriptor of ours for the one that had its number before.
 */
function racesWithUs(report) {
  const parts = paragraphs(report);
  if (parts.some((part) => /^Location is file descriptor/.test(part) && !isByUs(part))) return false;
  return parts.some((part) => !ORIGIN.test(part) && isByUs(part));
}

/** Whether the frame that did it is the addon's. */
function isByUs(stack) {
  return isOurs((stack.match(FRAME) ?? []).find((frame) => !RUNTIME.test(frame)) ?? '');
}

/** A frame names the addon, or where it has symbols the source instead. */
function isOurs(text) {
  return text.includes('spillway.node') || text.includes(SOURCES);
}

function paragraphs(report) {
  return report.split(/\n\s*\n/).map((part) => part.trim());
}

/** The runtime library does not know the symbols of what was loaded after it began. */
function withSymbols(text) {
  return text.replaceAll(/\((\S*spillway\.node)\+(0x[0-9a-f]+)\)/g, (frame, file, offset) => {
    const { stdout } = spawnSync('addr2line', ['-Cfpse', file, offset], { encoding: 'utf8' });
    return stdout ? `${frame} ${stdout.trim()}` : frame;
  });
}
