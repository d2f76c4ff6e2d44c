// @ts-check
// Which device computes: the graphics device where there is a real one, else the CPU, or the faster of
// the CPU's two ways where the browser's WebGPU is computed by the CPU as well.

import { describeAdapter, findAdapter, requireWebGpu } from "./adapter.js";
import { SemCoTError } from "./errors.js";

/** @typedef {import("./wasm.js").Device} Device */

/**
 * What computes, and why: it was asked for, is a graphics device, is all that there is (`noWebGpu` says
 * what is missing), or is the faster of both.
 * @typedef {object} DeviceFacts
 * @property {Device} kind
 * @property {string} name
 * @property {"asked" | "hardware" | "no-webgpu" | "faster" | "large"} reason
 * @property {string | null} noWebGpu why WebGPU cannot be used; null where it can
 * @property {Record<Device, number> | null} measuredMs of both, where the faster was looked for
 */

/**
 * What is known before anything is loaded: the device, or that it must be measured which is faster.
 * @typedef {{ facts: DeviceFacts | null, adapter: import("./support.js").AdapterFacts }} Choice
 */

/** What stands for an adapter where there is none. @type {import("./support.js").AdapterFacts} */
export const CPU = { name: "CPU, wasm SIMD", vendor: "", architecture: "", software: true, limits: null };

/** Tokens read and written that are timed on both: some milliseconds for a model that a page starts with. */
const PROBE = { promptTokens: 16, decodeTokens: 16, repeats: 3 };

/**
 * Above this, a model is not loaded twice to find the faster way, and the CPU is used: a software adapter
 * would take seconds for these tokens.
 */
export const MOST_MEASURED_BYTES = 4 << 20;

/**
 * @param {Pick<import("./semcot.js").LoadSettings, "device" | "kernels">} settings
 * @returns {Promise<Choice>}
 */
export async function chooseDevice(settings) {
  const wanted = wantedDevice(settings);
  if (wanted === "cpu") return { facts: factsOf("cpu", CPU, "asked"), adapter: CPU };
  const found = wanted === "gpu" ? await requireWebGpu() : await findAdapter();
  if (found === null) {
    const noWebGpu = await requireWebGpu().then(() => null, (error) => SemCoTError.from(error).message);
    return { facts: { ...factsOf("cpu", CPU, "no-webgpu"), noWebGpu }, adapter: CPU };
  }
  const adapter = describeAdapter(found);
  if (wanted === "auto" && adapter.software) return { facts: null, adapter };
  return { facts: factsOf("gpu", adapter, wanted === "gpu" ? "asked" : "hardware"), adapter };
}

/**
 * @param {Pick<import("./semcot.js").LoadSettings, "device" | "kernels">} settings
 * @returns {"auto" | Device}
 */
function wantedDevice({ device = "auto", kernels }) {
  if (!["auto", "gpu", "cpu"].includes(device)) {
    throw new SemCoTError("bad-input", `device is ${JSON.stringify(device)}: it must be "auto", "gpu" or "cpu".`);
  }
  if (kernels === undefined) return device;
  if (device === "cpu") throw new SemCoTError("bad-input", 'kernels are those of a graphics device, and device is "cpu": leave one of the two out.');
  return "gpu";
}

/**
 * @param {Device} kind
 * @param {import("./support.js").AdapterFacts} adapter
 * @param {DeviceFacts["reason"]} reason
 * @param {Record<Device, number> | null} [measuredMs]
 * @returns {DeviceFacts}
 */
export function factsOf(kind, adapter, reason, measuredMs = null) {
  return { kind, name: kind === "cpu" ? CPU.name : adapter.name, reason, noWebGpu: null, measuredMs };
}

/**
 * Milliseconds that a loaded model takes to read a few tokens and write a few.
 * @param {{ bench(options: unknown): Promise<Record<string, any>> }} model
 */
export async function probeMs(model) {
  const { prefill_ms: prefill, decode_ms: decode } = await model.bench(PROBE);
  return prefill.median + decode.median;
}
