// Tells growth that goes on with every item from noise, warm-up and steps.
import { mannKendall, type Slope, theilSen } from '../util/trend.js';
import type { Floor } from './floors.js';

/**
 * From what is least like a leak to what is one. `few`: too few windows to tell. `steady`: no trend. `slight`: a
 * trend that does not matter. `settling`: growth in one part, or in a few steps. `returned`: what was gained is given
 * back later. `leak`: growth that goes on.
 */
const FINDINGS = ['few', 'steady', 'slight', 'settling', 'returned', 'leak'] as const;
export type Finding = (typeof FINDINGS)[number];

/** What the floors of one account say; bytes, per item or over all `items` that were looked at. */
export interface Judgement extends Slope {
  readonly finding: Finding;
  readonly items: number;
  /** By the slope, over all of `items`. */
  readonly growth: number;
  /** `growth` as a share of what was held in the beginning. */
  readonly share: number;
}

// The constants below were chosen on made-up programs (bench/cases/leak.mjs), and are judged on others.

/** The share of the items in which a program may warm up: they are not looked at. */
const WARM_UP = 0.15;
/** Fewer floors say nothing; merged they are fewer, and more certain. */
const LEAST_FLOORS = 24;
const LEAST_WIDER = 12;
/** Standard deviations beyond which one value in 100, or one in 20, lies by chance, to one side. */
const ONE_IN_100 = 2.326;
const ONE_IN_20 = 1.645;
/** Growth below that is not worth a person's time. With 2 % one half of all leaks of just 2 % would be missed. */
const LEAST_SHARE = 0.01;
/** What allocators and the kernel round up to comes to that. */
const LEAST_GROWTH = 64 * 1024;
/** Of the growth by the slope, how much must never be given back. */
const LEAST_KEPT = 0.25;
/** Without the largest of the rises between so many parts, which sudden changes explain, that share must be left. */
const PARTS = 16;
const SUDDEN = 3;
const LEAST_STEADY = 0.15;

/**
 * Judges the floors of an account, in order of items.
 *
 * Narrow windows show a leak best where garbage is collected often, wide ones where each window would otherwise see
 * few collections, so the floors are judged as they are and merged in pairs, again and again; what comes closest to
 * a leak counts.
 */
export function judge(floors: readonly Floor[]): Judgement {
  const settled = withoutWarmUp(floors);
  if (settled.length < LEAST_FLOORS) return { ...judgeAt(settled, []), finding: 'few' };
  const rises = keptRises(settled);
  let closest = judgeAt(settled, rises);
  for (let wider = pairwise(settled); wider.length >= LEAST_WIDER; wider = pairwise(wider)) {
    const judgement = judgeAt(wider, rises);
    if (FINDINGS.indexOf(judgement.finding) > FINDINGS.indexOf(closest.finding)) closest = judgement;
  }
  return closest;
}

function judgeAt(floors: readonly Floor[], rises: readonly number[]): Judgement {
  const slope = slopeOf(floors, 1.96);
  const first = floors[0];
  const items = first ? (floors.at(-1) as Floor).items - first.items : 0;
  const growth = Math.max(0, slope.slope * items);
  const share = growth === 0 ? 0 : growth / Math.max(1, first?.bytes ?? 0);
  return { ...slope, items, growth, share, finding: findingOf(floors, rises, growth, share) };
}

function findingOf(
  floors: readonly Floor[],
  rises: readonly number[],
  growth: number,
  share: number,
): Finding {
  if (mannKendall(floors.map(({ bytes }) => bytes)).z <= ONE_IN_100) return 'steady';
  if (share < LEAST_SHARE || growth < LEAST_GROWTH) return 'slight';
  const middle = floors.length >> 1;
  const early = slopeOf(floors.slice(0, middle), ONE_IN_20);
  const late = slopeOf(floors.slice(middle), ONE_IN_20);
  if (early.low <= 0 || late.low <= 0) return 'settling';
  // A program that warms up grows ever more slowly; a leak does not.
  if (late.high < early.low && late.slope < early.slope / 2) return 'settling';
  const kept = sum(rises);
  if (kept < LEAST_KEPT * growth) return 'returned';
  // Steps pass the slope by: where they make up most of what was kept, more must be left without them.
  return sum(rises.slice(SUDDEN)) < LEAST_STEADY * Math.sqrt(growth * kept) ? 'settling' : 'leak';
}

function withoutWarmUp(floors: readonly Floor[]): readonly Floor[] {
  const [first, last] = [floors[0], floors.at(-1)];
  if (!first || !last) return floors;
  const start = first.items + WARM_UP * (last.items - first.items);
  return floors.filter(({ items }) => items >= start);
}

/** The floors of windows twice as wide. */
function pairwise(floors: readonly Floor[]): Floor[] {
  const wider: Floor[] = [];
  for (let i = 0; i + 1 < floors.length; i += 2) {
    const [a, b] = [floors[i] as Floor, floors[i + 1] as Floor];
    wider.push(a.bytes <= b.bytes ? a : b);
  }
  return wider;
}

/** How what is never given back afterwards rises from part to part of the floors, the largest rise first. */
function keptRises(floors: readonly Floor[]): number[] {
  const kept = Array.from({ length: PARTS }, (_, part) =>
    Math.min(...floors.slice(Math.floor((part * floors.length) / PARTS)).map(({ bytes }) => bytes)),
  );
  return kept
    .slice(1)
    .map((bytes, i) => bytes - (kept[i] as number))
    .sort((a, b) => b - a);
}

function slopeOf(floors: readonly Floor[], z: number): Slope {
  return theilSen(
    floors.map(({ items }) => items),
    floors.map(({ bytes }) => bytes),
    z,
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
