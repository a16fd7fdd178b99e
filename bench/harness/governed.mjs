// A process under a governor in a memory group of its own, as a case holds it: asked, it answers.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MemoryGroup, whyNoGroups } from './cgroup.mjs';
import { compile, whyNoCompiler } from './native-program.mjs';

const PROGRAM = fileURLToPath(new URL('../baselines/governed.mjs', import.meta.url));

/** @typedef {import('../../src/contract/index.js').PressureReading} Reading */
/** @typedef {import('../../src/contract/index.js').PressureEvent} Event */

/** Close it when done. */
export class Governed {
  group;
  #child;
  /** @type {{ resolve: (value: never) => void, reject: (error: Error) => void } | undefined} */
  #waiting;
  /** @type {() => void} */
  #noted = () => undefined;
  /** @type {import('node:child_process').ChildProcess[]} */
  #others = [];

  /** @param {string} name @param {number} limitBytes of its group */
  constructor(name, limitBytes) {
    this.group = new MemoryGroup(name, limitBytes);
    this.#child = this.group.spawn(process.execPath, [PROGRAM], {
      stdio: ['ignore', 2, 2, 'ipc'],
      // Columns of numbers, and numbers that are not finite, come over as they are.
      serialization: 'advanced',
    });
    this.#child.on('message', (/** @type {{ value?: never, error?: string, note?: string }} */ message) => {
      if (message.note !== undefined) this.#noted();
      else if (message.error !== undefined) this.#waiting?.reject(new Error(message.error));
      else this.#waiting?.resolve(/** @type {never} */ (message.value));
    });
    this.#child.on('exit', (code, signal) =>
      this.#waiting?.reject(new Error(`the governed process ended with ${signal ?? code}`)),
    );
  }

  get pid() {
    return /** @type {number} */ (this.#child.pid);
  }

  /** One question at a time. @param {string} act of baselines/governed.mjs @param {unknown} [argument] @returns {Promise<any>} */
  ask(act, argument) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.send({ act, argument }, (error) => error && reject(error));
    });
  }

  /** Keeps its JavaScript busy; resolves with the end of that once it has begun. @param {number} ms */
  async block(ms) {
    const begun = new Promise((resolve) => {
      this.#noted = () => resolve(undefined);
    });
    const done = this.ask('block', ms);
    await begun;
    return { done };
  }

  /** Starts a C program as another member of the group; ended with it. @param {string} name @param {readonly (string | number)[]} args */
  beside(name, args) {
    const other = this.group.spawn(compile(name), args.map(String), { stdio: ['ignore', 'ignore', 2] });
    this.#others.push(other);
    return { ended: once(other, 'exit'), end: () => other.kill('SIGKILL') };
  }

  async close() {
    for (const process of [this.#child, ...this.#others]) process.kill('SIGKILL');
    await this.group.close();
  }
}

/** Why the governor cannot be put to the test here. @param {{ native: boolean }} context */
export async function whyNoGovernor({ native: isNative }) {
  const { native } = await import('../../dist/native/load.js');
  if (!isNative || !native().capabilities.includes('governor'))
    return 'without the addon no thread watches while JavaScript is blocked';
  return whyNoGroups() ?? whyNoCompiler();
}
