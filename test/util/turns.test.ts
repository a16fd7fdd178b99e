import { expect, it } from 'vitest';
import { Turns } from '../../src/util/turns.js';

/** Work that ends when told to. */
function work() {
  let end: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, done };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

it('lets so many work at once, in order of asking', async () => {
  const turns = new Turns(() => 2);
  const begun: number[] = [];
  const works = [work(), work(), work(), work()];
  const all = works.map(({ done }, i) =>
    turns.run(async () => {
      begun.push(i);
      await done;
    }),
  );
  await settle();
  expect(begun).toEqual([0, 1]);
  works[1]?.end();
  await settle();
  expect(begun).toEqual([0, 1, 2]);
  for (const { end } of works) end();
  await Promise.all(all);
  expect(begun).toEqual([0, 1, 2, 3]);
});

it('follows how many are allowed, and never lets all of them wait', async () => {
  let most = 3;
  let working = 0;
  let highest = 0;
  const turns = new Turns(() => most);
  const turn = () =>
    turns.run(async () => {
      highest = Math.max(highest, ++working);
      await settle();
      working--;
    });
  await Promise.all(Array.from({ length: 9 }, turn));
  expect(highest).toBe(3);
  most = 0;
  highest = 0;
  await Promise.all(Array.from({ length: 4 }, turn));
  expect(highest).toBe(1);
});

it('gives the turn back where the work fails', async () => {
  const turns = new Turns(() => 1);
  await expect(turns.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await turns.run(async () => 'next')).toBe('next');
});
