// @ts-check
// Keeps the site's own files for visits without a network, by the service worker that the built site
// names in index.html. Model files are no part of it: `cache.js` keeps them.

import { find } from "./dom.js";

/** What only browsers without a graphics device take. */
const FOR_CPU = [new URL("./pkg/semcot_cpu.js", import.meta.url), new URL("./pkg/semcot_cpu_bg.wasm", import.meta.url)];

/**
 * Registers the service worker, where there is one. Without it the page works as before.
 * @param {import("./device.js").DeviceFacts | undefined} device what the engine runs on
 */
export async function keepForOffline(device) {
  const { serviceWorker } = find("#main", HTMLElement).dataset;
  if (serviceWorker === undefined || !("serviceWorker" in navigator)) return;
  const serviceWorkers = navigator.serviceWorker;
  await serviceWorkers.register(new URL(serviceWorker, document.baseURI)).catch(() => {});
  if (device?.kind !== "cpu" && !device?.measuredMs) return;
  // It keeps what is asked for through it, which begins when it takes the page over.
  if (serviceWorkers.controller === null) await new Promise((resolve) => serviceWorkers.addEventListener("controllerchange", resolve, { once: true }));
  await Promise.allSettled(FOR_CPU.map((url) => fetch(url)));
}
