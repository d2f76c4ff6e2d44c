// @ts-check
// What the device's memory leaves of a token's time: measured once a model, when a visitor measures.

import { SemCoTError } from "./errors.js";

/**
 * The least time of a token, beside the time that one takes.
 * @typedef {import("./semcot.js").Bandwidth & { msPerToken: number }} Floor
 */

/** More than most caches hold, and less than any adapter's binding: of larger models a part stands for the whole. */
const MOST_BYTES = 2 ** 26;

/** Short: it is waited for. */
const TOKENS = { promptTokens: 16, decodeTokens: 64, repeats: 3 };

/**
 * Null where it cannot be measured: no room for a matrix, or a clock that is too coarse.
 * @param {import("./semcot.js").SemCoT} engine
 * @param {AbortSignal} signal
 * @returns {Promise<Floor | null>}
 */
export async function floorOf(engine, signal) {
  const [{ passBytes, weightType }] = engine.info.models;
  try {
    const matvecBytes = Math.min(passBytes, MOST_BYTES);
    const { bandwidth, decodeMsPerToken } = await engine.bench({ ...TOKENS, matvecBytes, weightTypes: [weightType], signal });
    return bandwidth !== null && decodeMsPerToken > 0 ? { ...bandwidth, msPerToken: decodeMsPerToken } : null;
  } catch (error) {
    if (SemCoTError.from(error).code === "aborted") throw error;
    return null;
  }
}
