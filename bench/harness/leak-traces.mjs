// Made-up memory of programs over the items they complete, with the noise that garbage collection makes.

/** @typedef {'none' | 'warm-up' | 'step' | 'uncollected' | 'growth'} TraceKind */

/**
 * Bytes held after each item.
 *
 * What is alive: a level of 30 MB to 3 GB that wanders by about 0.1 % of itself, and, by `kind`, nothing else
 * (`none`), an approach from below that ends (`warm-up`), one to three sudden changes (`step`), old garbage that V8
 * collects once in a while or not at all before the last item (`uncollected`), or a growth of 2 % over all items,
 * every other time after a short warm-up (`growth`). Above it garbage: a saw-tooth of 5 to 30 % with a
 * period of at least 30 items and at most a hundredth of them, each collection leaving up to 0.5 % behind.
 * @param {TraceKind} kind @param {() => number} random uniform in 0…1
 * @returns {Float64Array}
 */
export function traceOf(kind, random) {
  const between = (/** @type {number} */ low, /** @type {number} */ high) => low + (high - low) * random();
  const items = Math.round(3000 * 10 ** random());
  const level = 30e6 * 100 ** random();
  const shape = shapeOf(kind, between);
  const garbage = sawTooth(items, between);
  const wander = wanderer(items, between);
  const trace = Float64Array.from({ length: items }, (_, i) =>
    Math.round(level * (1 + shape(i / items) + wander() + garbage())),
  );
  if (kind === 'uncollected') trace[items - 1] = Math.round(level * (1 + wander()));
  return trace;
}

/** What is alive beyond the level, as a share of it, by the share of the items completed. */
function shapeOf(
  /** @type {TraceKind} */ kind,
  /** @type {(low: number, high: number) => number} */ between,
) {
  const flat = () => 0;
  switch (kind) {
    case 'none':
      return flat;
    case 'warm-up':
      return between(0, 1) < 0.5
        ? approach(between(0.05, 1), between(0.02, 0.15))
        : ramp(between(0.05, 1), between(0.02, 0.4));
    case 'step':
      return steps(between);
    case 'uncollected':
      return ages(between(0.05, 0.5), between(0.5, 4));
    case 'growth': {
      const before = between(0, 1) < 0.5 ? flat : approach(between(0.02, 0.3), between(0.01, 0.04));
      return (/** @type {number} */ at) => before(at) + 0.02 * at;
    }
  }
}

/** Exponential, with the time constant `tau`. @param {number} height @param {number} tau */
const approach = (height, tau) => (/** @type {number} */ at) => height * (1 - Math.exp(-at / tau));

/** Straight up, then flat. @param {number} height @param {number} end */
const ramp = (height, end) => (/** @type {number} */ at) => height * Math.min(1, at / end);

/** A saw-tooth that comes back to nothing `times` times. @param {number} height @param {number} times */
const ages = (height, times) => (/** @type {number} */ at) => height * ((at * times) % 1);

/** @param {(low: number, high: number) => number} between */
function steps(between) {
  const all = Array.from({ length: Math.ceil(between(0, 3)) }, () => ({
    at: between(0, 1),
    height: between(0.02, 0.3) * (between(0, 1) < 0.75 ? 1 : -1),
  }));
  return (/** @type {number} */ at) => all.reduce((sum, step) => sum + (at >= step.at ? step.height : 0), 0);
}

/** Garbage over the items. @param {number} items @param {(low: number, high: number) => number} between */
function sawTooth(items, between) {
  const height = between(0.05, 0.3);
  const period = 30 * (items / 100 / 30) ** between(0, 1);
  let length = 0;
  let age = 0;
  let left = 0;
  return () => {
    if (age >= length) {
      length = period * between(0.7, 1.3);
      age = between(0, 1);
      left = between(0, 0.005);
    }
    return left + height * (age++ / period) + between(0, 0.005);
  };
}

/** A level that wanders: an autoregressive series of the first order. */
function wanderer(/** @type {number} */ items, /** @type {(low: number, high: number) => number} */ between) {
  const memory = Math.exp(-1 / (items / between(20, 100)));
  // Uniform steps of that width keep the standard deviation of the whole at 0.001.
  const width = 0.001 * Math.sqrt(12 * (1 - memory ** 2));
  let value = 0;
  return () => {
    value = memory * value + between(-width / 2, width / 2);
    return value;
  };
}
