// The process of one side: opens it when told, then checks and runs it as often as it is asked to.

/** @type {import('./types.js').Runner | undefined} */
let runner;

const acts = {
  /** @param {{ file: string, caseName: string, contest: number, side: string, data: never }} which */
  async open({ file, caseName, contest, side, data }) {
    const { cases } = await import(file);
    const found = cases.find((/** @type {{ name: string }} */ { name }) => name === caseName);
    runner = await found.contests[contest].sides[side].open(data);
  },
  check: () => runner?.check?.(),
  run() {
    // Nobody pays for the garbage of the run before.
    globalThis.gc?.();
    return runner?.run();
  },
  close: () => runner?.close?.(),
};

process.on(
  'message',
  async (/** @type {{ act: keyof typeof acts, argument: never }} */ { act, argument }) => {
    try {
      process.send?.({ value: await acts[act](argument) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? error.stack : String(error) });
    }
    if (act === 'close') process.disconnect();
  },
);
