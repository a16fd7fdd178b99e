// Ending in the middle of native work must neither crash nor hang, whatever ends it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chainGraph } from '../support/graphs.js';
import { overNative } from '../support/paths.js';

const SCRIPT = fileURLToPath(new URL('./ending.mjs', import.meta.url));
const EXIT_CODES = { exit: 7, throw: 1, sigint: 130, terminate: 0 } as const;
type Ending = keyof typeof EXIT_CODES;
const PHASES = ['run', 'wait', 'load'] as const;
/** Processes in all, spread evenly over the cases; crashes were seen once in hundreds. */
const RUNS = Number(process.env.SPILLWAY_LIFECYCLE_RUNS || 48);
const REPEATS = Math.ceil(RUNS / (Object.keys(EXIT_CODES).length * PHASES.length));
const LANES = 2;
const HANG_MS = 30_000;

let folder: string;
let quick: string;
let slow: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'spillway-ending-'));
  quick = path.join(folder, 'run.onnx');
  slow = path.join(folder, 'load.onnx');
  // The first is small to load and takes some hundred milliseconds to run; the second is tens of megabytes to load.
  await writeFile(quick, chainGraph({ layers: 150, width: 512 }));
  await writeFile(slow, chainGraph({ layers: 40, width: 512, distinct: true }));
});
afterAll(() => rm(folder, { recursive: true }));

interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  said: string;
  /** Its standard error where it did not end as it should. */
  trouble: string;
}

function end(ending: Ending, phase: string, delay: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.env.SPILLWAY_LIFECYCLE_NODE || process.execPath,
      [SCRIPT, ending, phase, String(delay), quick, slow],
      { stdio: ['ignore', 'pipe', 'pipe'], timeout: HANG_MS, killSignal: 'SIGKILL' },
    );
    let said = '';
    let errors = '';
    child.stdout.on('data', (text) => {
      said += text;
    });
    child.stderr.on('data', (text) => {
      errors += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ code, signal, said, trouble: code === EXIT_CODES[ending] ? '' : errors.slice(0, 2000) }),
    );
  });
}

describe.runIf(overNative)('ending in the middle of native work', () => {
  it.each(
    (Object.entries(EXIT_CODES) as [Ending, number][]).flatMap(([ending, code]) =>
      PHASES.map((phase) => [ending, phase, code] as const),
    ),
  )(
    `%s during a %s leaves with exit code %i`,
    async (ending, phase, code) => {
      const outcomes: Outcome[] = [];
      const lane = async (first: number) => {
        for (let i = first; i < REPEATS; i += LANES)
          outcomes.push(await end(ending, phase, (i * 40) / REPEATS));
      };
      await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
      expect(outcomes.map(({ code, signal, trouble }) => ({ code, signal, trouble }))).toEqual(
        outcomes.map(() => ({ code, signal: null, trouble: '' })),
      );
      // Each got as far as ending on purpose; and some in the middle, else nothing was tested. The main thread
      // of a terminated worker does not know how far that was.
      for (const { said } of outcomes) expect(said).toMatch(/^(pending|settled)$/);
      if (ending !== 'terminate') expect(outcomes.map(({ said }) => said)).toContain('pending');
    },
    HANG_MS * REPEATS,
  );
});
