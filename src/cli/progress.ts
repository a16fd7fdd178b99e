// The progress of a run for people (a bar on a terminal) or for programs (JSON lines), on standard error.
import type { Progress } from '../pipeline/meter.js';
import { formatSeconds } from '../util/durations.js';
import { formatSize } from '../util/sizes.js';

/** Shows progress until disposed. */
export interface ProgressView extends Disposable {
  /** A line that stays, such as a failure. */
  note(line: string): void;
}

/** What a run does in a state. */
const HEAT = { warm: 'slowed by heat', hot: 'paused by heat' };

const BAR = 24;
const TERMINAL_MS = 100;
const JSON_MS = 1000;

/** A bar that is redrawn, when standard error is a terminal. */
export function terminalProgress(out: NodeJS.WriteStream, read: () => Progress): ProgressView {
  const draw = () => {
    const { bar, text } = barLine(read());
    // Cut to the width: a line that wraps cannot be redrawn.
    const rest = text.slice(0, Math.max(0, (out.columns ?? 80) - BAR - 3));
    out.write(`\r\x1b[K${colourful(out) ? `\x1b[36m${bar}\x1b[0m` : bar}  ${rest}`);
  };
  const timer = setInterval(draw, TERMINAL_MS).unref();
  return {
    note: (line) => out.write(`\r\x1b[K${line}\n`),
    [Symbol.dispose]: () => {
      clearInterval(timer);
      out.write('\r\x1b[K');
    },
  };
}

/** One JSON object a line, once a second. */
export function jsonProgress(out: NodeJS.WritableStream, read: () => Progress): ProgressView {
  const timer = setInterval(
    () => out.write(`${JSON.stringify({ type: 'progress', ...read() })}\n`),
    JSON_MS,
  ).unref();
  return {
    note: (message) => out.write(`${JSON.stringify({ type: 'note', message })}\n`),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Lines that stay and nothing else: standard error is a file or a pipe. */
export function plainProgress(out: NodeJS.WritableStream): ProgressView {
  return { note: (line) => out.write(`${line}\n`), [Symbol.dispose]: () => undefined };
}

/** Whether colour is wanted (https://no-color.org). */
function colourful(out: NodeJS.WriteStream): boolean {
  return out.isTTY && !process.env.NO_COLOR;
}

function barLine(progress: Progress): { bar: string; text: string } {
  const { files, totalFiles, failed, cached, bytes, rate, etaSeconds, level, thermal } = progress;
  const share = totalFiles ? Math.min(1, files / totalFiles) : 0;
  const filled = Math.round(share * BAR);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled);
  const parts = [
    totalFiles === undefined ? `${count(files)} files` : `${count(files)}/${count(totalFiles)} files`,
    formatSize(bytes),
    `${count(Math.round(rate))}/s`,
    etaSeconds === undefined ? undefined : `ETA ${formatSeconds(etaSeconds)}`,
    cached > 0 ? `${count(cached)} hits` : undefined,
    failed > 0 ? `${count(failed)} failed` : undefined,
    level === 'NORMAL' ? undefined : level,
    thermal === undefined || thermal.state === 'cool' ? undefined : HEAT[thermal.state],
  ];
  return { bar, text: parts.filter(Boolean).join(' · ') };
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
