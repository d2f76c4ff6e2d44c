// @ts-check
// Numbers, times and sizes as a person of a language reads them; the units are the same everywhere.

/** @param {string} locale */
export function formatsOf(locale) {
  const number = new Intl.NumberFormat(locale);
  const oneDigit = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const date = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const significant = new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 });
  const twoDigits = new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return {
    date: (/** @type {number} */ ms) => date.format(ms),
    number: (/** @type {number} */ value) => number.format(value),
    /** A cosine, or another number of which two digits behind the point matter. */
    decimal: (/** @type {number} */ value) => twoDigits.format(value).replace(/^-0([.,]0+)$/, "0$1").replace("-", "−"),
    percent: (/** @type {number} */ fraction) => percent.format(fraction),
    /** A time as a person reads it: three digits, the unit that fits. */
    time: (/** @type {number} */ ms) => {
      if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
      return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
    },
    /** A time of which even thousandths of a millisecond matter, beside others of the kind. */
    shortTime: (/** @type {number} */ ms) => `${significant.format(ms)} ms`,
    /** Of memory, in 10⁹ bytes a second. */
    rate: (/** @type {number} */ gbPerS) => `${significant.format(gbPerS)} GB/s`,
    /** How long something still takes, roughly. */
    duration: (/** @type {number} */ ms) => {
      const seconds = Math.ceil(ms / 1000);
      return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`;
    },
    bytes: (/** @type {number} */ bytes) => {
      if (bytes >= 1e9) return `${oneDigit.format(bytes / 1e9)} GB`;
      if (bytes >= 1e6) return `${oneDigit.format(bytes / 1e6)} MB`;
      return `${number.format(Math.round(bytes / 1e3))} kB`;
    },
    times: (/** @type {number} */ factor) => (factor >= 10 ? number.format(Math.round(factor)) : oneDigit.format(factor)),
  };
}
