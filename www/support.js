// @ts-check
// Whether models can be run in this browser, and what is missing where they cannot.

import { describeAdapter, requireWebGpu } from "./adapter.js";
import { SemCoTError } from "./errors.js";

/**
 * Whether models can be run here.
 * @typedef {object} Support
 * @property {boolean} supported on one device at least
 * @property {("gpu" | "cpu")[]} devices that can compute
 * @property {{ code: import("./errors.js").ErrorCode, message: string }[]} reasons what is missing for both, and
 *   what to do about it; empty where nothing is
 * @property {AdapterFacts | null} adapter null where there is none
 */

/**
 * What the browser tells of the graphics device; some tell nothing.
 * @typedef {object} AdapterFacts
 * @property {string} name
 * @property {string} vendor
 * @property {string} architecture
 * @property {boolean} software whether it computes on the CPU
 * @property {{ maxBufferSize: number, maxStorageBufferBindingSize: number, maxComputeInvocationsPerWorkgroup: number } | null} limits
 *   null of the CPU itself
 */

/** The smallest wasm module: eight bytes. */
const EMPTY_MODULE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
/** One with a function of vector instructions: `i8x16.popcnt(i8x16.splat(0))`. */
const SIMD_MODULE = Uint8Array.of(
  ...EMPTY_MODULE, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 0x0a, 0x0a, 1, 8, 0, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x62, 0x0b,
);

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
  const wasm = !reasons.some(({ code }) => code === "internal");
  /** @type {Support["devices"]} */
  const devices = [];
  if (wasm && adapter !== null) devices.push("gpu");
  if (wasm && WebAssembly.validate(SIMD_MODULE)) devices.push("cpu");
  return { supported: devices.length > 0, devices, reasons: reasons.map(({ code, message }) => ({ code, message })), adapter };
}

/**
 * Wasm that may not run, by a content policy or a setting of the browser.
 * @param {unknown} error
 */
export function wasmRefused(error) {
  const reason = error instanceof Error ? error.message : String(error);
  return new SemCoTError("internal", `This page may not run wasm (${reason}). Its content policy needs script-src 'wasm-unsafe-eval', and the browser must not have wasm switched off.`);
}
