// @ts-check
// Which device was measured faster, kept from visit to visit: measuring means to load a model twice, and on a
// software adapter to compile its kernels, which takes a second.

/** Names the store; nothing else lies in it. */
const STORE = "semcot-devices";

/**
 * Where a choice is kept: a new version of the browser, another adapter or another model is measured anew.
 * @param {import("./support.js").AdapterFacts} adapter
 * @param {number} modelBytes
 */
function addressOf({ name, vendor, architecture }, modelBytes) {
  const what = [navigator.userAgent, name, vendor, architecture, String(modelBytes)];
  return new URL(`/${STORE}/${what.map(encodeURIComponent).join("/")}`, location.href).href;
}

/**
 * What was measured before; null where nothing was, or where the browser keeps nothing.
 * @param {import("./support.js").AdapterFacts} adapter
 * @param {number} modelBytes
 * @returns {Promise<Record<import("./wasm.js").Device, number> | null>} milliseconds of each
 */
export async function rememberedTimes(adapter, modelBytes) {
  try {
    const kept = await (await caches.open(STORE)).match(addressOf(adapter, modelBytes));
    const { cpu, gpu } = (await kept?.json()) ?? {};
    return cpu > 0 && gpu > 0 ? { cpu, gpu } : null;
  } catch {
    return null;
  }
}

/**
 * @param {import("./support.js").AdapterFacts} adapter
 * @param {number} modelBytes
 * @param {Record<import("./wasm.js").Device, number>} times
 */
export async function rememberTimes(adapter, modelBytes, times) {
  try {
    await (await caches.open(STORE)).put(addressOf(adapter, modelBytes), new Response(JSON.stringify(times)));
  } catch {
    // Then the next visit measures again.
  }
}
