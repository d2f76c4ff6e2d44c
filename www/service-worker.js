// @ts-check
// The service worker of the built site: keeps the site's files, so that a second visit needs no network.
//
// Who keeps what: this keeps the pages, modules, styles, the wasm and the models' manifests of one build,
// in a cache named after it; the models' own files are kept by `cache.js` in the private file system,
// and requests for them are not touched here.
//
// Why versions never mix: the names of all files but a few hold the hash of their contents, so that a
// page names exactly the files that it was built with. Those few (pages, manifests) come from the
// network while there is one. A build is kept whole or not at all, each file checked against the digest
// that it was built with; it takes over when no page of an earlier build is open any more, and only
// then are earlier ones removed.
//
// `npm run build` puts in front of this file what there is to keep, so that it differs from build to build.

/**
 * @typedef {object} Build
 * @property {string} version
 * @property {Record<string, string>} files SHA-256 of the files to keep, by their paths from the site's folder
 */

/**
 * What the types of pages do not have.
 * @typedef {object} WorkerScope
 * @property {ServiceWorkerRegistration} registration
 * @property {{ claim: () => Promise<void> }} clients
 * @property {(type: string, listener: (event: any) => void) => void} addEventListener
 * @property {Build} SEMCOT_BUILD
 */

{
  const scope = /** @type {WorkerScope} */ (/** @type {unknown} */ (globalThis));
  const { version, files } = scope.SEMCOT_BUILD;
  const SITE = scope.registration.scope;
  /** Of every build of the site in this folder; another folder of the same origin has caches of its own. */
  const PREFIX = `semcot-site ${SITE} `;
  const CACHE = PREFIX + version;
  /** How long the network may take for a page that is kept. */
  const PATIENCE_MS = 3000;
  /** Names that hold the hash of their contents. */
  const HASHED = /-[0-9a-f]{12}\.\w+$/;

  scope.addEventListener("install", (event) => event.waitUntil(keepBuild()));
  scope.addEventListener("activate", (event) => event.waitUntil(takeOver()));
  scope.addEventListener("fetch", (event) => {
    const path = pathOf(event.request);
    if (path === null) return;
    if (HASHED.test(path)) event.respondWith(immutable(event.request));
    else if (Object.hasOwn(files, path)) event.respondWith(newest(event.request, path));
  });

  async function keepBuild() {
    const cache = await caches.open(CACHE);
    try {
      await Promise.all(Object.entries(files).map(async ([path, digest]) => cache.put(addressOf(path), await checked(path, digest))));
    } catch (error) {
      await caches.delete(CACHE);
      throw error;
    }
  }

  async function takeOver() {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
    await scope.clients.claim();
  }

  /**
   * A file as it was built; rejects where the server has another one.
   * @param {string} path
   * @param {string} digest
   */
  async function checked(path, digest) {
    const response = await fetch(addressOf(path), { cache: HASHED.test(path) ? "default" : "no-cache" });
    if (!response.ok) throw new Error(`${path}: the server says ${response.status}`);
    const bytes = await response.arrayBuffer();
    const found = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    if (found !== digest) throw new Error(`${path} is not of this build`);
    // A new response, because one that was redirected may not answer for a page.
    const headers = new Headers(response.headers);
    headers.delete("Content-Encoding");
    return new Response(bytes, { headers });
  }

  /**
   * A file whose name holds its hash: kept is as good as fetched, whatever build kept it.
   * @param {Request} request
   */
  async function immutable(request) {
    const kept = await caches.match(request, { ignoreSearch: true, ignoreVary: true });
    if (kept) return kept;
    const response = await fetch(request);
    // What only some visitors need is kept when it has been used.
    if (response.ok) await (await caches.open(CACHE)).put(request, response.clone()).catch(() => {});
    return response;
  }

  /**
   * A file of a lasting name: from the network, else as it was kept.
   * @param {Request} request
   * @param {string} path
   */
  async function newest(request, path) {
    const kept = await (await caches.open(CACHE)).match(addressOf(path), { ignoreVary: true });
    if (!kept) return fetch(request);
    const fetched = fetch(request).then((response) => (response.status >= 500 ? kept : response), () => kept);
    const patience = new Promise((/** @type {(kept: Response) => void} */ resolve) => setTimeout(() => resolve(kept), PATIENCE_MS));
    return Promise.race([fetched, patience]);
  }

  /**
   * The path of a request from the site's folder, or null where it is none of this worker's business.
   * @param {Request} request
   */
  function pathOf({ method, url, headers }) {
    const { origin, pathname } = new URL(url);
    const address = origin + pathname;
    if (method !== "GET" || headers.has("Range") || !address.startsWith(SITE)) return null;
    const path = decodeURIComponent(address.slice(SITE.length));
    return path === "" || path.endsWith("/") ? `${path}index.html` : path;
  }

  /**
   * Where a file is asked for: a folder's page by the folder, as visitors do.
   * @param {string} path
   */
  function addressOf(path) {
    return new URL(path.replace(/(^|\/)index\.html$/, "$1"), SITE).href;
  }
}
