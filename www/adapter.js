// @ts-check
// The graphics adapter that the browser offers to this thread.

import { SemCoTError } from "./errors.js";

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
 * @returns {import("./support.js").AdapterFacts}
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
