// The stock engine's child process: one request, one answer; whatever ends it rejects what was pending.
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { native } from '../../native/load.js';
import { type ErrorCode, messageOf, SpillwayError } from '../../util/errors.js';
import { type ChildLimits, CpuWatch, confined } from './child-limits.js';
import type { Greeting, Reply, Request } from './protocol.js';
import { RunLine } from './run-line.js';

/** A request before it has its number. */
export type Question = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;
type Answer = Extract<Reply, { value: unknown }>['value'];

interface Pending {
  resolve(value: Answer): void;
  reject(reason: unknown): void;
}

// Run from the sources (tests), the child is the compiled one: Node 20 does not run TypeScript.
const CHILD = fileURLToPath(
  new URL(
    import.meta.url.endsWith('.ts') ? '../../../dist/models/engine/stock-child.js' : './stock-child.js',
    import.meta.url,
  ),
);
const KEPT_STDERR = 2000;

/** A child with onnxruntime-node loaded. It keeps this process alive only while an answer is awaited. */
export class StockChild {
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #stderr = '';
  #endReason: string | undefined;
  #endCode: ErrorCode = 'ERR_ENGINE';
  #peakRssBytes = 0;
  #cpu: CpuWatch | undefined;
  version = '';
  /** All runs of its graphs go by it. */
  readonly runs = new RunLine();

  private constructor(limits: ChildLimits | undefined) {
    this.#process = fork(CHILD, [], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      ...(limits && confined(limits)),
    });
    const { pid } = this.#process;
    if (pid !== undefined) native().governor.includeChild(pid);
    if (pid !== undefined && limits)
      this.#cpu = new CpuWatch(pid, limits.cpuMs, () => {
        const used = `used more than ${limits.cpuMs} ms of processor time for one request`;
        this.kill(used, 'ERR_MODEL_REJECTED');
      });
    this.#process.on('message', (reply: Reply) => this.#settle(reply));
    this.#process.on('exit', (code, signal) => this.#end(`ended with ${signal ?? `exit code ${code}`}`));
    this.#process.on('error', (error) => this.#end(messageOf(error)));
    this.#process.stderr?.on('data', (text) => {
      this.#stderr = (this.#stderr + String(text)).slice(-KEPT_STDERR);
    });
  }

  /**
   * Starts a child, within limits where they are given. Rejects with `ERR_ENGINE` where it cannot load onnxruntime-node.
   */
  static async start(limits?: ChildLimits): Promise<StockChild> {
    const child = new StockChild(limits);
    const greeting = await child.#greeting();
    child.#hold();
    if ('failure' in greeting) {
      child.kill('onnxruntime-node did not load');
      throw new SpillwayError(greeting.failure.code, greeting.failure.message);
    }
    child.version = greeting.version;
    return child;
  }

  /** Why the child is gone, or undefined while it lives. */
  get endReason(): string | undefined {
    return this.#endReason;
  }

  /**
   * Rejects with the child's own failure, with `ERR_ENGINE` if the child ends before it answers, and with
   * `ERR_MODEL_REJECTED` if it is ended for the processor time it took.
   */
  ask(question: Question): Promise<Answer> {
    if (this.#endReason !== undefined) return Promise.reject(this.#goneError());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#cpu?.start();
      this.#pending.set(id, { resolve, reject });
      this.#hold();
      this.#process.send({ ...question, id }, (error) => {
        if (error && this.#pending.delete(id)) reject(this.#goneError());
      });
    });
  }

  /** The first line of its standard error; `''` where it was silent, or what it said lies too far back. */
  get lastWords(): string {
    return this.#stderr.trim().split('\n')[0] ?? '';
  }

  /** Ends it; what is pending, or asked from now on, rejects with `code`. */
  kill(reason: string, code: ErrorCode = 'ERR_ENGINE'): void {
    this.#noteRss();
    this.#process.kill('SIGKILL');
    this.#end(reason, code);
  }

  rssBytes(): number {
    return this.#endReason === undefined ? statusBytes(this.#process.pid, 'VmRSS') : 0;
  }

  peakRssBytes(): number {
    this.#noteRss();
    return this.#peakRssBytes;
  }

  async #greeting(): Promise<Greeting> {
    return new Promise((resolve, reject) => {
      this.#process.once('message', (greeting: Greeting) => {
        this.#process.off('exit', onExit);
        resolve(greeting);
      });
      const onExit = () => reject(this.#goneError());
      this.#process.once('exit', onExit);
      this.#process.once('error', onExit);
    });
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return; // the greeting, or the answer to a run that was given up
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#cpu?.stop();
    else this.#cpu?.start(); // the next request begins
    this.#noteRss();
    this.#hold();
    if ('failure' in reply) pending.reject(new SpillwayError(reply.failure.code, reply.failure.message));
    else pending.resolve(reply.value);
  }

  #end(reason: string, code: ErrorCode = 'ERR_ENGINE'): void {
    if (this.#endReason !== undefined) return;
    this.#endReason = reason;
    this.#endCode = code;
    this.#cpu?.stop();
    if (this.#process.pid !== undefined) native().governor.excludeChild(this.#process.pid);
    for (const { reject } of this.#pending.values()) reject(this.#goneError());
    this.#pending.clear();
    this.#hold();
  }

  #goneError(): SpillwayError {
    const last = this.#stderr.trim().split('\n').at(-1);
    return new SpillwayError(
      this.#endCode,
      `the child process that runs the model ${this.#endReason ?? 'does not answer'}${last ? `: ${last}` : ''}`,
    );
  }

  /** Keeps this process alive exactly while something is awaited. */
  #hold(): void {
    const held = this.#pending.size > 0;
    const { channel, stderr } = this.#process;
    for (const handle of [this.#process, channel, stderr as { ref?(): void; unref?(): void } | null])
      if (held) handle?.ref?.();
      else handle?.unref?.();
  }

  /** Read at every answer: the figure is gone once the process is. */
  #noteRss(): void {
    if (this.#endReason !== undefined) return;
    this.#peakRssBytes = Math.max(this.#peakRssBytes, statusBytes(this.#process.pid, 'VmHWM'));
  }
}

function statusBytes(pid: number | undefined, field: 'VmRSS' | 'VmHWM'): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has just ended, or this system has no /proc
  }
}
