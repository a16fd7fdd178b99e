// What a child process may take, for graphs that are not trusted.
import { readFileSync } from 'node:fs';

export interface ChildLimits {
  /** Private memory that it can write to: heap, stacks, buffers (RLIMIT_DATA). */
  readonly memoryBytes: number;
  /** Processor time, of all its threads, for one request. */
  readonly cpuMs: number;
}

/** The shell sets the limits on itself and becomes the child: Node.js cannot set those of a process. */
const CONFINE = 'ulimit -c 0 && ulimit -d "$0" && exec "$@"';

/** What the child is told of our environment: where libraries and devices are, and the language of texts. Nothing else. */
const PASSED_ON = [
  'LD_LIBRARY_PATH',
  'VK_DRIVER_FILES',
  'VK_ICD_FILENAMES',
  'CUDA_VISIBLE_DEVICES',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'TZ',
];

/** Options of `fork` for a child within these limits. */
export function confined({ memoryBytes }: ChildLimits) {
  const env = Object.fromEntries(
    PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const kilobytes = String(Math.floor(memoryBytes / 1024));
  return { execPath: '/bin/sh', execArgv: ['-c', CONFINE, kilobytes, process.execPath], env };
}

/** Jiffies are a hundredth of a second wherever Linux shows them to programs (USER_HZ). */
const MS_PER_JIFFY = 10;
/** How often a busy child is looked at. */
const LOOK_MS = 100;

/** Calls back, once, when a process has used more processor time since `start` than it may. */
export class CpuWatch {
  readonly #pid: number;
  readonly #limitMs: number;
  readonly #exceeded: () => void;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pid: number, limitMs: number, exceeded: () => void) {
    this.#pid = pid;
    this.#limitMs = limitMs;
    this.#exceeded = exceeded;
  }

  /** Counts anew from here. */
  start(): void {
    this.#since = cpuMs(this.#pid);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (cpuMs(this.#pid) - this.#since <= this.#limitMs) return;
    this.stop();
    this.#exceeded();
  }
}

/** Processor time of all threads of a process, ended ones included; 0 once it is gone. */
function cpuMs(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // After the name, which may hold anything: state is the third field, user and system time are 14th and 15th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_JIFFY;
  } catch {
    return 0;
  }
}
