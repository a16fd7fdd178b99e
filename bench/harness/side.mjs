// A side as the harness holds it: a child process that is asked and answers.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./side-process.mjs', import.meta.url));

/** @typedef {{ file: string, caseName: string, contest: number, side: string, data: unknown }} Which */

/** A process of a side. Close it, or kill it, when done. */
export class SideProcess {
  #child;
  #name;
  #limitMs;
  /** @type {{ resolve: (value: never) => void, reject: (error: Error) => void } | undefined} */
  #waiting;

  /** @param {Which} which @param {{ env?: object, execArgv?: readonly string[], limitMs?: number }} options */
  constructor(which, { env = {}, execArgv = [], limitMs = 600_000 }) {
    this.#name = `${which.caseName}: ${which.side}`;
    this.#limitMs = limitMs;
    // Standard output is for lines: what a peer prints goes to standard error.
    this.#child = spawn(process.execPath, [...execArgv, PROGRAM], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#child.on('message', (/** @type {{ value?: never, error?: string }} */ { value, error }) => {
      if (error === undefined) this.#waiting?.resolve(/** @type {never} */ (value));
      else this.#waiting?.reject(new Error(`${this.#name} failed: ${error}`));
    });
    this.#child.on('error', (error) => this.#waiting?.reject(error));
    this.#child.on('exit', (code, signal) =>
      this.#waiting?.reject(new Error(`${this.#name} ended with ${signal ?? `exit code ${code}`}`)),
    );
  }

  /** @param {Which} which */
  open(which) {
    return this.#ask('open', which);
  }

  /** @returns {Promise<unknown>} */
  check() {
    return this.#ask('check');
  }

  /** @returns {Promise<import('./types.js').Sample>} */
  run() {
    return this.#ask('run');
  }

  /** Lets the side close what it opened, and waits until its process is gone. */
  async close() {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    await this.#ask('close');
    const timer = setTimeout(() => this.kill(), 10_000);
    await gone;
    clearTimeout(timer);
  }

  kill() {
    this.#child.kill('SIGKILL');
  }

  /** @param {string} act @param {Which} [argument] @returns {Promise<never>} */
  #ask(act, argument) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.kill();
        reject(new Error(`${this.#name} did not ${act} within ${this.#limitMs / 1000} s`));
      }, this.#limitMs);
      const settle = () => {
        clearTimeout(timer);
        this.#waiting = undefined;
      };
      this.#waiting = {
        resolve: (value) => {
          settle();
          resolve(value);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      this.#child.send({ act, argument }, (error) => error && this.#waiting?.reject(error));
    });
  }
}
