// @ts-check
// Numbers, times and sizes as a person of a language reads them; the units are the same everywhere.

/** @param {string} locale */
export function formatsOf(locale) {
  const number = new Intl.NumberFormat(locale);
  const oneDigit = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return {
    number: (/** @type {number} */ value) => number.format(value),
    percent: (/** @type {number} */ fraction) => percent.format(fraction),
    /** A time as a person reads it: three digits, the unit that fits. */
    time: (/** @type {number} */ ms) => {
      if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
      return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
    },
    bytes: (/** @type {number} */ bytes) => {
      if (bytes >= 1e9) return `${oneDigit.format(bytes / 1e9)} GB`;
      if (bytes >= 1e6) return `${oneDigit.format(bytes / 1e6)} MB`;
      return `${number.format(Math.round(bytes / 1e3))} kB`;
    },
    times: (/** @type {number} */ factor) => (factor >= 10 ? number.format(Math.round(factor)) : oneDigit.format(factor)),
  };
}
