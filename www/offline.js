// @ts-check
// Keeps the site's own files for visits without a network, by the service worker that the built site
// names in index.html. Model files are no part of it: `cache.js` keeps them.

import { find } from "./dom.js";

/** Registers the service worker, where there is one. Without it the page works as before. */
export async function keepForOffline() {
  const { serviceWorker } = find("#main", HTMLElement).dataset;
  if (serviceWorker === undefined || !("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register(new URL(serviceWorker, document.baseURI)).catch(() => {});
}
