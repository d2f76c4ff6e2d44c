// @ts-check
// The engine's two wasm modules: on the graphics device, and on the CPU, which is fetched only where it
// is to be used. JavaScript calls both the same way.

import { SemCoTError } from "./errors.js";
import { wasmRefused } from "./support.js";

/** @typedef {import("./pkg/semcot.js")} Wasm */

/**
 * What computes.
 * @typedef {"gpu" | "cpu"} Device
 */

/** Bundlers know modules by exactly these words. @type {Record<Device, () => Promise<Wasm>>} */
const MODULES = {
  gpu: () => import("./pkg/semcot.js"),
  cpu: () => /** @type {Promise<any>} */ (import("./pkg/semcot_cpu.js")),
};

/** @type {Map<Device, Promise<Wasm>>} */
const started = new Map();

/**
 * A wasm module, started once.
 * @param {Device} device
 * @param {string} [url] where it lies; beside its script unless told
 * @returns {Promise<Wasm>}
 */
export function startWasm(device, url) {
  const known = started.get(device);
  if (known) return known;
  const starting = start(device, url).catch((error) => {
    started.delete(device);
    throw error;
  });
  started.set(device, starting);
  return starting;
}

/**
 * @param {Device} device
 * @param {string} [url]
 * @returns {Promise<Wasm>}
 */
async function start(device, url) {
  try {
    const wasm = await MODULES[device]();
    await wasm.default(url === undefined ? undefined : { module_or_path: url });
    return wasm;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (/Content Security Policy|CSP|unsafe-eval/.test(reason)) throw wasmRefused(error);
    const place = url === undefined ? "" : ` from ${url}`;
    throw new SemCoTError("network", `The engine's wasm could not be loaded${place} (${reason}). Is it there? In a checkout, npm run build makes it.`);
  }
}
