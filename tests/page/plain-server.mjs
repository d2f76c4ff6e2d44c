// The least that a file server can be: files with their types below one path, no ranges, no caching, no
// headers of its own but the strict policy that the site is promised to run under.

import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";

export const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
/** Where the site lies on its server. */
export const SUB_PATH = "/some/sub/path/";

/** @type {Record<string, string>} */
const TYPES = {
  ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json",
  ".md": "text/markdown", ".png": "image/png", ".svg": "image/svg+xml", ".wasm": "application/wasm",
};

/** @param {string} folder what is served; can be changed like a new version on a server */
export async function startPlainServer(folder) {
  const state = { folder, /** @type {(path: string, bytes: Buffer) => Buffer} */ alter: (_, bytes) => bytes };
  /** Paths asked for. @type {string[]} */
  const requests = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/\?.*/, "").replace(/\/$/, "/index.html");
    requests.push(path);
    const file = join(state.folder, path.startsWith(SUB_PATH) ? path.slice(SUB_PATH.length) : "nowhere");
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return void response.writeHead(404, { "Content-Type": "text/plain" }).end("Not found.");
    const headers = { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": POLICY };
    response.writeHead(200, headers).end(request.method === "HEAD" ? undefined : state.alter(path, readFileSync(file)));
  });
  await new Promise((/** @type {(value: void) => void} */ resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}${SUB_PATH}`,
    state,
    requests,
    stop: () => new Promise((/** @type {(value: void) => void} */ resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}
