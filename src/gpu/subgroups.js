// @ts-check
// Opens devices with WebGPU's `subgroups`, which wgpu 30 neither reports nor asks for. Imported by
// `subgroups.rs` alone, and part of what wasm-bindgen writes.

/** Whether the adapter that was last asked for a device offers subgroups. */
let isOffered = false;
let isWrapped = false;

/** From now on every device that is asked for has subgroups, where its adapter offers them. */
export function askForSubgroups() {
  if (isWrapped || typeof GPUAdapter === "undefined") return;
  isWrapped = true;
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = function (/** @type {GPUDeviceDescriptor} */ descriptor = {}) {
    isOffered = this.features.has("subgroups");
    if (!isOffered) return requestDevice.call(this, descriptor);
    const requiredFeatures = new Set(descriptor.requiredFeatures).add("subgroups");
    return requestDevice.call(this, { ...descriptor, requiredFeatures });
  };
}

/** Read right after a device was asked for, and before anything is awaited. */
export function areSubgroupsOffered() {
  return isOffered;
}
