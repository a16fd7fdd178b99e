// Medians and spreads of a handful of samples.

/** The middle value, or the mean of the two middle ones. @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * Interquartile range ÷ median: how far apart the middle half of the runs lies. 0 where the median is 0.
 * @param {readonly number[]} values
 */
export function spread(values) {
  const middle = median(values);
  return middle === 0 ? 0 : (quantile(values, 0.75) - quantile(values, 0.25)) / Math.abs(middle);
}

/**
 * The value below which a share `q` (0–1) of the values lies, linear between neighbours.
 * @param {readonly number[]} values @param {number} q
 */
export function quantile(values, q) {
  if (values.length === 0) throw new RangeError('expected at least one value but received none');
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = /** @type {number} */ (sorted[Math.floor(at)]);
  const above = /** @type {number} */ (sorted[Math.ceil(at)]);
  return below + (above - below) * (at - Math.floor(at));
}

/** Four significant digits: more than any run repeats. @param {number} value */
export function round(value) {
  return Number(value.toPrecision(4));
}
