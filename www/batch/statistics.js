// @ts-check
// The few figures that a batch is summed up by.

/** The normal distribution's 97.5 % point: intervals of 95 %. */
const Z = 1.959963984540054;

/**
 * Wilson's interval of a share, 95 %: unlike the usual one it is right for few trials and near 0 and 1.
 * @param {number} right
 * @param {number} n at least 1
 * @returns {{ share: number, low: number, high: number }}
 */
export function wilson(right, n) {
  const share = right / n;
  const middle = share + (Z * Z) / (2 * n);
  const reach = Z * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n));
  const scale = 1 + (Z * Z) / n;
  return { share, low: Math.max(0, (middle - reach) / scale), high: Math.min(1, (middle + reach) / scale) };
}

/**
 * A quantile of some numbers, between neighbours by their distance.
 * @param {readonly number[]} values at least one
 * @param {number} q 0 … 1
 */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
