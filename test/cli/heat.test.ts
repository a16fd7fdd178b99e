// What a person reads of heat: while the run goes on, and at its end.
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { ThermalManager } from '../../src/batch/thermal.js';
import { noteEvents } from '../../src/cli/notes.js';
import { plainProgress, terminalProgress } from '../../src/cli/progress.js';
import { type Summary, summaryText } from '../../src/cli/summary.js';
import type { Progress } from '../../src/pipeline/meter.js';

const summary = {
  ...{ files: 1, bytes: 1, failed: 0, cached: 0, seconds: 1, filesPerSecond: 1, state: 'done', leaks: [] },
  ...{ peakRssBytes: 2, budgetBytes: 3, baselineRssBytes: 1, engine: null, device: null },
  native: { loaded: true, reason: '' },
} as unknown as Summary;
const textOf = (thermal?: Summary['thermal']) =>
  summaryText({ ...summary, ...(thermal && { thermal }) }, { cache: false });

it('says at the end how long it was slowed and paused, where it was', () => {
  expect(textOf()).not.toMatch('heat');
  expect(textOf({ cool: 60, warm: 0, hot: 0, maxCelsius: 61 })).not.toMatch('heat');
  expect(textOf({ cool: 3, warm: 12, hot: 75.2, maxCelsius: 101, reason: 'a chip is at 101 °C' })).toMatch(
    'heat: slowed for 12s, paused for 1m 15s, at most 101 °C; a chip is at 101 °C\n',
  );
});

it('notes each change with its reason, also one from before, until it is told to stop', async () => {
  let celsius = 90;
  const sensors = [{ name: 'test', read: () => [{ name: 'chip', celsius }] }];
  const thermal = new ThermalManager({ soft: 70, hard: 80, resume: 65, sensors });
  await thermal.sample();
  const out = new PassThrough({ encoding: 'utf8' });
  const forget = noteEvents(plainProgress(out), thermal);
  celsius = 60;
  await thermal.sample();
  forget();
  celsius = 90;
  await thermal.sample();
  expect(out.read()).toBe(
    'test chip is at 90 °C: paused from 80 °C on, until it is below 65 °C\ntest chip is at 60 °C, below 65 °C\n',
  );
});

it.each([
  ['cool', /NORMAL|heat/, false],
  ['warm', /slowed by heat/, true],
  ['hot', /paused by heat/, true],
] as const)('shows in the bar that the machine is %s', async (state, text, shown) => {
  const out = new PassThrough({ encoding: 'utf8' });
  const progress = { files: 1, bytes: 1, failed: 0, cached: 0, rate: 1, level: 'NORMAL', thermal: { state } };
  const view = terminalProgress(
    Object.assign(out, { columns: 200, isTTY: false }) as unknown as NodeJS.WriteStream,
    () => progress as unknown as Progress,
  );
  const drawn: string = await new Promise((resolve) => out.once('data', resolve));
  view[Symbol.dispose]();
  expect(text.test(drawn)).toBe(shown);
});
