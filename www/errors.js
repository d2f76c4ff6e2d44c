// @ts-check
// What can go wrong, as one class with stable codes. A program switches on `code`; a person reads
// `message`, which says what was found and what to do.

/**
 * - `no-webgpu`: the browser has no WebGPU, or no adapter behind it
 * - `limit-too-low`: the adapter's limits are too small for the model
 * - `out-of-memory`: the adapter could not hold the model
 * - `device-lost`: the graphics device, or the worker that held it, went away; ask again, the engine starts
 *   anew by itself
 * - `integrity`: a file is not the one that the model folder names
 * - `quota`: the browser has no room for a file, not even while it is loaded
 * - `network`: a file could not be fetched
 * - `unsupported-model`: a file is of a kind that this engine does not run
 * - `bad-input`: the question or an option cannot be used
 * - `aborted`: the given `AbortSignal` fired, or the engine was disposed of
 * - `internal`: a defect of the engine itself, which starts anew; please report it
 * @typedef {"no-webgpu" | "limit-too-low" | "out-of-memory" | "device-lost" | "integrity" | "quota"
 *   | "network" | "unsupported-model" | "bad-input" | "aborted" | "internal"} ErrorCode
 */

/** @type {readonly ErrorCode[]} */
const CODES = [
  "no-webgpu", "limit-too-low", "out-of-memory", "device-lost", "integrity", "quota", "network",
  "unsupported-model", "bad-input", "aborted", "internal",
];

/** The one error class of the package. An abort is named `AbortError`, as the platform does. */
export class SemCoTError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = code === "aborted" ? "AbortError" : "SemCoTError";
    /** @type {ErrorCode} */
    this.code = code;
  }

  /** @returns {SemCoTError} */
  static aborted() {
    return new SemCoTError("aborted", "Aborted.");
  }

  /**
   * Any thrown thing as a [`SemCoTError`]: the engine's own errors carry a code, all others are defects.
   * @param {unknown} thrown
   * @returns {SemCoTError}
   */
  static from(thrown) {
    if (thrown instanceof SemCoTError) return thrown;
    const { code, name, message } = /** @type {{ code?: unknown, name?: string, message?: string }} */ (thrown ?? {});
    if (name === "AbortError") return SemCoTError.aborted();
    const known = CODES.find((candidate) => candidate === code) ?? "internal";
    return new SemCoTError(known, message ?? String(thrown));
  }
}

/**
 * Throws when a signal has fired.
 * @param {AbortSignal | undefined} signal
 */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw SemCoTError.aborted();
}
