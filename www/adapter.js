// @ts-check
// The graphics adapter that the browser offers to this thread, and whether models can be run here at all.

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

/** @returns {Promise<GPUAdapter | null>} */
export async function findAdapter() {
  return (await navigator.gpu?.requestAdapter().catch(() => null)) ?? null;
}

/** @returns {Promise<GPUAdapter>} */
export async function requireWebGpu() {
  if (!navigator.gpu) {
    const reason = globalThis.isSecureContext
      ? "This browser has no WebGPU: use a current Chrome, Edge, Safari or Firefox"
      : "WebGPU is only offered over HTTPS or on localhost: serve the page so";
    throw new SemCoTError("no-webgpu", `${reason}.`);
  }
  const found = await findAdapter();
  if (!found) throw new SemCoTError("no-webgpu", "The browser has WebGPU but found no graphics adapter to run it on: look for hardware acceleration in its settings.");
  return found;
}

/**
 * @param {GPUAdapter} adapter
 * @returns {AdapterFacts}
 */
export function describeAdapter({ info, limits }) {
  const name = info.description || [info.vendor, info.architecture].filter(Boolean).join(" ");
  return {
    name,
    vendor: info.vendor,
    architecture: info.architecture,
    software: info.isFallbackAdapter === true,
    limits: {
      maxBufferSize: limits.maxBufferSize,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    },
  };
}

/**
 * Wasm that may not run, by a content policy or a setting of the browser.
 * @param {unknown} error
 */
export function wasmRefused(error) {
  const reason = error instanceof Error ? error.message : String(error);
  return new SemCoTError("internal", `This page may not run wasm (${reason}). Its content policy needs script-src 'wasm-unsafe-eval', and the browser must not have wasm switched off.`);
}
