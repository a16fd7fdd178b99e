// Leaving in the middle of a run of either engine: exits, throws, terminated workers, aborts. Counts crashes, hangs, and
// child processes that outlive their parent.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { slowFile } from '../harness/graphs.mjs';

const PROGRAM = fileURLToPath(new URL('../baselines/ending.mjs', import.meta.url));
const EXIT_CODES = { exit: 7, throw: 1, terminate: 0, abort: 0 };
const ENDINGS = /** @type {(keyof typeof EXIT_CODES)[]} */ (Object.keys(EXIT_CODES));
const ENGINES = ['native', 'stock'];
const LANES = 2;
const HANG_MS = 30_000;
/** The run takes several hundred: endings are spread over its first part. */
const LATEST_MS = 200;

/** @typedef {{ model: string, endings: number }} Data */

/**
 * Whether one process ended as it should, and whether it was in the middle of its run by then.
 * @param {keyof typeof EXIT_CODES} ending @param {number} delay @param {string} model @param {string} engine
 * @returns {Promise<{ good: boolean, pending: boolean }>}
 */
function end(ending, delay, model, engine) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ending, String(delay), model, engine], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: HANG_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text;
    });
    child.on('error', reject);
    child.on('close', async (code, signal) => {
      const [state, ...children] = said.split(' ');
      const left = await remaining(children.map(Number));
      const good =
        code === EXIT_CODES[ending] && /^(pending|settled)$/.test(state ?? '') && left.length === 0;
      if (!good)
        console.error(
          `teardown: ${ending} of ${engine} ended with ${signal ?? code}, left ${left}: ${errors.slice(0, 2000)}`,
        );
      resolve({ good, pending: state === 'pending' });
    });
  });
}

/** Those that still live when they should long have ended. @param {number[]} pids */
async function remaining(pids) {
  const deadline = Date.now() + HANG_MS;
  const lives = (/** @type {number} */ pid) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  while (pids.some(lives) && Date.now() < deadline) await sleep(20);
  return pids.filter(lives);
}

const teardown = {
  measures: [
    {
      metric: 'failures',
      better: 'lower',
      target: { limit: { name: 'bound', value: 0 } },
    },
  ],
  // It counts by itself; once is enough.
  runs: 1,
  limitMs: 3_600_000,
  skip: (/** @type {{ native: boolean }} */ { native }) =>
    native ? undefined : 'without the addon nothing runs in this process',
  data: async (/** @type {{ quick: boolean }} */ { quick }) => {
    const endings = quick ? 50 : 1000;
    return { model: await slowFile(), endings, label: `${endings} endings in mid-run` };
  },
  sides: {
    ours: {
      fresh: true,
      open: async (/** @type {Data} */ { model, endings }) => ({
        async run() {
          let next = 0;
          let failures = 0;
          let pending = 0;
          const lane = async () => {
            for (let i = next++; i < endings; i = next++) {
              const ending = /** @type {keyof typeof EXIT_CODES} */ (ENDINGS[i % ENDINGS.length]);
              const engine = /** @type {string} */ (ENGINES[Math.floor(i / ENDINGS.length) % ENGINES.length]);
              const ended = await end(ending, (LATEST_MS * i) / endings, model, engine);
              if (!ended.good) failures++;
              if (ended.pending) pending++;
            }
          };
          await Promise.all(Array.from({ length: LANES }, lane));
          if (pending < endings / 4)
            throw new Error(`only ${pending} of ${endings} processes ended in the middle of their run`);
          return { values: { failures } };
        },
      }),
    },
  },
};

export const cases = [{ name: 'teardown', contests: [teardown] }];
