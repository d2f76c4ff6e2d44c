// @ts-check
// The few statistics that a comparison of times needs.

/**
 * The middle of repeated measurements, and how far they lie apart.
 * @typedef {object} Spread
 * @property {number} median
 * @property {number} low the smallest
 * @property {number} high the largest
 * @property {number[]} values in the order measured
 */

/**
 * @param {number[]} values at least one
 * @returns {number}
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param {number[]} values at least one
 * @returns {Spread}
 */
export function spread(values) {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values), values };
}
