// Which of the items that wait share a batch where lengths vary: neighbours in length, for the least padding.

export interface PackLimits {
  /** Items at most. */
  readonly items: number;
  /** Tokens at most, padding included: items × the longest. One item may always go. */
  readonly tokens: number;
  /** Of these tokens, that may be padding; 0 to 1. */
  readonly padding: number;
}

/**
 * The places of those that go with the first, which always goes, so that nobody is left behind for an odd length: of
 * all runs of neighbours in length that keep within the limits, the one with the most tokens of its own. In order of
 * `lengths`. O(n log n).
 */
export function pack(lengths: readonly number[], limits: PackLimits): number[] {
  const order = Array.from(lengths.keys()).sort(
    (a, b) => lengthAt(lengths, a) - lengthAt(lengths, b) || a - b,
  );
  const sorted = order.map((place) => lengthAt(lengths, place));
  const sums = sumsOf(sorted);
  const first = order.indexOf(0);
  let best = { from: first, to: first, tokens: 0, fed: 0 };
  for (let to = first; to < Math.min(sorted.length, first + limits.items); to++) {
    const from = lowest(sorted, sums, first, to, limits);
    if (from === undefined) continue;
    const tokens = lengthAt(sums, to + 1) - lengthAt(sums, from);
    const fed = (to - from + 1) * lengthAt(sorted, to);
    if (tokens > best.tokens || (tokens === best.tokens && fed < best.fed)) best = { from, to, tokens, fed };
  }
  return order.slice(best.from, best.to + 1).sort((a, b) => a - b);
}

/** Where the longest run that ends at `to` and holds `first` begins; each that begins lower is padded more. */
function lowest(
  sorted: readonly number[],
  sums: readonly number[],
  first: number,
  to: number,
  { items, tokens, padding }: PackLimits,
): number | undefined {
  const longest = lengthAt(sorted, to);
  const fits = (from: number) => {
    const fed = (to - from + 1) * longest;
    const own = lengthAt(sums, to + 1) - lengthAt(sums, from);
    return from === to || (fed <= tokens && own >= (1 - padding) * fed);
  };
  if (!fits(first)) return undefined;
  let low = Math.max(0, to + 1 - items);
  let high = first;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (fits(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** The sum of the first i, at i. */
function sumsOf(values: readonly number[]): number[] {
  let sum = 0;
  return [0, ...values.map((value) => (sum += value))];
}

function lengthAt(values: readonly number[], place: number): number {
  return values[place] as number;
}
