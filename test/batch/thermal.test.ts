import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from 'vitest';
import { type ThermalChange, ThermalManager } from '../../src/batch/thermal.js';
import type { ThermalOptions } from '../../src/batch/thermal-options.js';
import type { ThermalReading } from '../../src/batch/thermal-sensor.js';

const LIMITS = { soft: 70, hard: 80, resume: 65 };
const opened: ThermalManager[] = [];
afterEach(() => {
  for (const manager of opened.splice(0)) manager.stop();
});

/** A manager that reads when told; `feel` lets it read a temperature, or what is given. */
function manual(options: ThermalOptions = LIMITS) {
  let readings: () => readonly ThermalReading[] | Promise<readonly ThermalReading[]> = () => [];
  const sensor = { name: 'test', read: () => readings() };
  const manager = new ThermalManager({ sensors: [sensor], ...options });
  opened.push(manager);
  const told: ThermalChange[] = [];
  manager.on('change', (change) => told.push(change));
  const feel = async (heat: number | readonly ThermalReading[] | Error) => {
    readings = () => {
      if (heat instanceof Error) throw heat;
      return typeof heat === 'number' ? [{ name: 'chip', celsius: heat }] : heat;
    };
    await manager.sample();
    return manager.state;
  };
  return { manager, told, feel };
}

describe('the thermal manager', () => {
  it('enters a state exactly at its limit, and leaves it below resume alone', async () => {
    const { manager, feel } = manual();
    const path: [number, string][] = [
      [69.9, 'cool'],
      [70, 'warm'],
      [69.9, 'warm'],
      [65, 'warm'],
      [64.9, 'cool'],
      [79.9, 'warm'],
      [80, 'hot'],
      [79.9, 'hot'],
      [70, 'hot'],
      [65, 'hot'],
      [64.9, 'cool'],
      [65, 'cool'],
      [200, 'hot'],
    ];
    for (const [celsius, state] of path) expect([celsius, await feel(celsius)]).toEqual([celsius, state]);
    expect(manager.summary().maxCelsius).toBe(200);
  });

  it('allows fewer the hotter it is, down to one, and none while paused', async () => {
    const { manager, feel } = manual();
    const allowed: [number, number][] = [
      [60, 10],
      [70, 9],
      [72, 8],
      [75, 5],
      [79, 1],
      [79.9, 1],
      [80, 0],
      [66, 0],
      [60, 10],
    ];
    for (const [celsius, workers] of allowed) {
      await feel(celsius);
      expect([celsius, manager.allowed(10)]).toEqual([celsius, workers]);
    }
    await feel(70);
    expect([1, 2, 3].map((workers) => manager.allowed(workers))).toEqual([1, 1, 2]);
  });

  it('does not flap with a temperature that does', async () => {
    const { told, feel } = manual();
    for (let i = 0; i < 20; i++) await feel(i % 2 === 0 ? 81 : 66);
    expect(told.map(({ state }) => state)).toEqual(['hot']);
  });

  it('says which sensor read what, and which limit that is', async () => {
    const { manager, told, feel } = manual();
    expect(manager.reason).toBeUndefined();
    await feel(75);
    expect(manager.reason).toBe('test chip is at 75 °C: slowed from 70 °C on, until it is below 65 °C');
    await feel(80);
    expect(manager.reason).toBe('test chip is at 80 °C: paused from 80 °C on, until it is below 65 °C');
    await feel(64);
    expect(manager.reason).toBeUndefined();
    expect(told).toMatchObject([
      { state: 'warm', previous: 'cool' },
      { state: 'hot', previous: 'warm' },
      { state: 'cool', previous: 'hot', reason: 'test chip is at 64 °C, below 65 °C' },
    ]);
  });

  it('lets the hottest place decide, each by itself', async () => {
    const { manager, feel } = manual();
    const both = (left: number, right: number) =>
      feel([
        { name: 'left', celsius: left },
        { name: 'right', celsius: right },
      ]);
    expect(await both(60, 80)).toBe('hot');
    expect(manager.reason).toMatch('test right is at 80 °C');
    // The left one was never hot: 69 °C is nothing to it.
    expect(await both(69, 60)).toBe('cool');
    await both(72, 78);
    expect(manager.allowed(10)).toBe(2);
    expect(manager.reason).toMatch('right');
    expect(manager.celsius).toBe(78);
  });

  it.each([
    ['thermal', 'warm'],
    ['hardware-thermal', 'warm'],
    ['hardware-slowdown', 'warm'],
    ['power-brake', 'warm'],
    ['power-cap', 'cool'],
    ['idle', 'cool'],
    ['sync-boost', 'cool'],
    ['applications-clocks', 'cool'],
    ['display-clocks', 'cool'],
  ] as const)('takes a device that throttles itself for %s as %s', async (reason, state) => {
    const { manager, feel } = manual();
    expect(await feel([{ name: 'chip', celsius: 50, throttleReasons: [reason] }])).toBe(state);
    expect(manager.allowed(8)).toBe(state === 'warm' ? 4 : 8);
    expect(await feel([{ name: 'chip', throttleReasons: [reason] }])).toBe(state);
    expect(await feel([{ name: 'chip', celsius: 50, throttleReasons: [] }])).toBe('cool');
  });

  it('pauses a device that throttles itself at the hard limit, and slows it as its heat asks', async () => {
    const { manager, feel } = manual();
    await feel([{ name: 'chip', celsius: 79, throttleReasons: ['thermal'] }]);
    expect(manager.allowed(10)).toBe(1);
    expect(await feel([{ name: 'chip', celsius: 80, throttleReasons: ['thermal'] }])).toBe('hot');
  });

  it("takes the hardware's word for a limit, and the caller's before it", async () => {
    const own = manual({});
    expect(await own.feel([{ name: 'chip', celsius: 89, hardCelsius: 90 }])).toBe('warm');
    expect(await own.feel([{ name: 'chip', celsius: 90, hardCelsius: 90 }])).toBe('hot');
    expect(await own.feel(79.9)).toBe('cool');
    expect(await own.feel(95)).toBe('warm');
    expect(await own.feel(100)).toBe('hot');
    const given = manual({ hard: 60 });
    expect(await given.feel([{ name: 'chip', celsius: 60, hardCelsius: 90 }])).toBe('hot');
    // A soft limit above what the hardware bears moves no hard one.
    const soft = manual({ soft: 99 });
    expect(await soft.feel([{ name: 'chip', celsius: 90, hardCelsius: 90 }])).toBe('hot');
    expect(await soft.feel([{ name: 'chip', celsius: 84, hardCelsius: 90 }])).toBe('cool');
  });

  it('keeps what it knew of a sensor that fails for a moment, and lets nothing wait for one that stays away', async () => {
    const { manager, told, feel } = manual();
    await feel(85);
    for (let i = 0; i < 3; i++) expect(await feel(new Error('no such bus'))).toBe('hot');
    expect(manager.summary().problems).toEqual(['test cannot be read: no such bus']);
    await feel(85);
    expect(manager.summary().problems).toEqual([]);
    for (let i = 0; i < 3; i++) await feel([{ name: 'chip', problem: 'it is gone' }]);
    expect(manager.state).toBe('hot');
    const waited = manager.wait();
    expect(await feel([{ name: 'chip', problem: 'it is gone' }])).toBe('cool');
    await waited;
    expect(told.at(-1)?.reason).toBe('what was hot cannot be read any more');
    expect(manager.summary()).toMatchObject({ problems: ['test chip: it is gone'], places: [] });
  });

  it('takes a figure that is none, and an answer that is none, for a failure', async () => {
    const { manager, feel } = manual();
    expect(await feel(Number.NaN)).toBe('cool');
    expect(manager.summary().problems).toEqual(['test chip: expected degrees Celsius but received NaN']);
    expect(await feel(undefined as never)).toBe('cool');
    expect(manager.summary().problems).toHaveLength(1);
  });

  it('never asks a sensor that has not answered yet, and hears the others meanwhile', async () => {
    let asked = 0;
    let answer: (readings: readonly ThermalReading[]) => void = () => undefined;
    const slow = {
      name: 'slow',
      read: () => {
        asked++;
        return new Promise<readonly ThermalReading[]>((resolve) => {
          answer = resolve;
        });
      },
    };
    const quick = { name: 'quick', read: () => [{ name: 'chip', celsius: 81 }] };
    const manager = new ThermalManager({ ...LIMITS, sensors: [slow, quick] });
    const first = manager.sample();
    await manager.sample();
    await manager.sample();
    expect(asked).toBe(1);
    expect(manager.state).toBe('hot');
    expect(manager.summary().problems).toEqual(['slow has not answered yet']);
    answer([{ name: 'chip', celsius: 20 }]);
    await first;
    expect(manager.summary()).toMatchObject({ problems: [], places: [{ celsius: 20 }, { celsius: 81 }] });
    void manager.sample();
    expect(asked).toBe(2);
  });

  it('lets those who wait go on when it is cooler, and those who abort at once', async () => {
    const { manager, feel } = manual();
    await manager.wait();
    await feel(80);
    const abort = new AbortController();
    const waits = [manager.wait(), manager.wait(abort.signal)];
    const settled: unknown[] = [];
    for (const [i, wait] of waits.entries())
      wait.then(
        () => settled.push(i),
        (reason) => settled.push(reason),
      );
    await feel(66);
    expect(settled).toEqual([]);
    abort.abort('enough');
    await feel(66);
    expect(settled).toEqual(['enough']);
    await expect(manager.wait(abort.signal)).rejects.toBe('enough');
    await feel(64);
    expect(settled).toEqual(['enough', 0]);
  });

  it('reads by itself once started, and holds nothing back once stopped', async () => {
    let celsius = 90;
    let reads = 0;
    const read = async () => {
      reads++;
      return [{ name: 'chip', celsius }];
    };
    const manager = new ThermalManager({ ...LIMITS, interval: 1, sensors: [{ name: 'test', read }] });
    const changed = () => new Promise<ThermalChange>((resolve) => manager.once('change', resolve));
    manager.start();
    manager.start();
    expect(await changed()).toMatchObject({ state: 'hot' });
    celsius = 60;
    expect(await changed()).toMatchObject({ state: 'cool' });
    celsius = 90;
    await changed();
    const waited = manager.wait();
    const { seconds } = manager.summary();
    manager[Symbol.dispose]();
    await waited;
    const readsBefore = reads;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reads).toBe(readsBefore);
    expect(manager).toMatchObject({ state: 'cool', reason: undefined });
    expect(manager.summary().places).toEqual([]);
    expect(seconds.cool).toBeGreaterThan(0);
    expect(seconds.hot).toBeGreaterThan(0);
    expect(seconds.warm).toBe(0);
  });

  it('forgets an answer that comes after it was stopped', async () => {
    let answer: (readings: readonly ThermalReading[]) => void = () => undefined;
    const read = () =>
      new Promise<readonly ThermalReading[]>((resolve) => {
        answer = resolve;
      });
    const manager = new ThermalManager({ ...LIMITS, sensors: [{ name: 'slow', read }] });
    const sampled = manager.sample();
    manager.stop();
    answer([{ name: 'chip', celsius: 99 }]);
    await sampled;
    expect(manager.state).toBe('cool');
    expect(manager.summary().places).toEqual([]);
  });

  it('tells changes on diagnostics_channel', async () => {
    const messages: unknown[] = [];
    const listener = (message: unknown) => messages.push(message);
    subscribe('spillway:thermal.change', listener);
    const { told, feel } = manual();
    await feel(80);
    await feel(81);
    unsubscribe('spillway:thermal.change', listener);
    await feel(20);
    expect(messages).toEqual(told.slice(0, 1));
    expect(told).toHaveLength(2);
  });

  it('is cool where there is nothing to read', async () => {
    const { manager, feel } = manual();
    expect(await feel([])).toBe('cool');
    expect(await feel([{ name: 'chip' }])).toBe('cool');
    expect(manager.celsius).toBeUndefined();
    expect(manager.allowed(7)).toBe(7);
  });

  it.each<[ThermalOptions, RegExp]>([
    [{ soft: 90, hard: 80 }, /at most hard \(80\) for ThermalManager\.soft/],
    [{ soft: 70, resume: 71 }, /at most 70 for ThermalManager\.resume/],
    [{ hard: 70, resume: 71 }, /at most 70 for ThermalManager\.resume/],
    [{ hard: 300 }, /ThermalManager\.hard/],
    [{ soft: Number.NaN }, /ThermalManager\.soft/],
    [{ interval: 0 }, /ThermalManager\.interval/],
    [{ interval: '2h' }, /ThermalManager\.interval/],
    [{ sensors: [{ name: 'mute' } as never] }, /a sensor.*ThermalManager\.sensors\.0/],
    [{ warm: 3 } as never, /ThermalManager\.warm/],
  ])('refuses %o', (options, message) => {
    const error = expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' });
    expect(() => new ThermalManager(options)).toThrow(error);
    expect(() => new ThermalManager(options)).toThrow(message);
  });
});
