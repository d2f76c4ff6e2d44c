// @ts-check
// Whether models can be run in this browser, and what is missing where they cannot.

import { describeAdapter, requireWebGpu } from "./adapter.js";
import { SemCoTError } from "./errors.js";

/**
 * Whether models can be run here.
 * @typedef {object} Support
 * @property {boolean} supported
 * @property {{ code: import("./errors.js").ErrorCode, message: string }[]} reasons what is missing, and what
 *   to do about it; empty where nothing is
 * @property {AdapterFacts | null} adapter null where there is none
 */

/**
 * What the browser tells of the graphics device; some tell nothing.
 * @typedef {object} AdapterFacts
 * @property {string} name
 * @property {string} vendor
 * @property {string} architecture
 * @property {boolean} software whether it computes on the CPU
 * @property {{ maxBufferSize: number, maxStorageBufferBindingSize: number, maxComputeInvocationsPerWorkgroup: number }} limits
 */

/** The smallest wasm module: eight bytes. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** @returns {Promise<Support>} */
export async function findSupport() {
  /** @type {SemCoTError[]} */
  const reasons = [];
  let adapter = null;
  try {
    adapter = describeAdapter(await requireWebGpu());
  } catch (error) {
    reasons.push(SemCoTError.from(error));
  }
  try {
    await WebAssembly.compile(EMPTY_MODULE);
  } catch (error) {
    reasons.push(wasmRefused(error));
  }
  return { supported: reasons.length === 0, reasons: reasons.map(({ code, message }) => ({ code, message })), adapter };
}

/**
 * Wasm that may not run, by a content policy or a setting of the browser.
 * @param {unknown} error
 */
export function wasmRefused(error) {
  const reason = error instanceof Error ? error.message : String(error);
  return new SemCoTError("internal", `This page may not run wasm (${reason}). Its content policy needs script-src 'wasm-unsafe-eval', and the browser must not have wasm switched off.`);
}
