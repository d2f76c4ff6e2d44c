// A small static server for the page: right types, byte ranges, nothing outside the page's own
// files, nothing kept by the browser without asking (no-cache with an ETag).

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { ROOT, Trouble } from "./commands.mjs";

/** What of the project is served; the rest of the folder is nobody's business. */
const SERVED = ["index.html", "www", "models", "docs", "MODEL_CARD.md"];

/** @type {Record<string, string>} */
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".md": "text/plain; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".ts": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/**
 * @typedef {object} ServerOptions
 * @property {number} [port] 0 takes any free one
 * @property {string} [root] the folder served
 * @property {string[]} [served] first parts of the paths that are served
 * @property {Record<string, string>} [mounts] folders elsewhere, by the first part of the paths that they are served at
 */

/**
 * Starts the server on 127.0.0.1.
 * @param {ServerOptions} [options]
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export function startServer({ port = 8080, root = ROOT, served = SERVED, mounts = {} } = {}) {
  const fileAt = (/** @type {string} */ url) => {
    const path = servedPath(url, [...served, ...Object.keys(mounts)]);
    if (path === null) return null;
    const [first, ...rest] = path.split(sep);
    return Object.hasOwn(mounts, first) ? join(mounts[first], ...rest) : join(root, path);
  };
  const server = createServer((request, response) => answer(request, response, fileAt(request.url ?? "/")));
  return new Promise((resolve, reject) => {
    server.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      const taken = `Port ${port} is taken. Choose another one: npm start -- --port ${port + 1}`;
      reject(new Trouble(error.code === "EADDRINUSE" ? taken : `The server did not start: ${error.message}`));
    });
    server.listen(port, "127.0.0.1", () => {
      const address = /** @type {import("node:net").AddressInfo} */ (server.address());
      const close = () =>
        new Promise((/** @type {(value: void) => void} */ done) => {
          server.close(() => done());
          server.closeAllConnections();
        });
      resolve({ url: `http://127.0.0.1:${address.port}/`, close });
    });
  });
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {string | null} file
 */
function answer(request, response, file) {
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405, "Only GET and HEAD.");
  const stat = file && statSync(file, { throwIfNoEntry: false });
  if (!file || !stat?.isFile()) return refuse(response, 404, "Not found.");

  const etag = `"${stat.size.toString(36)}-${Math.round(stat.mtimeMs).toString(36)}"`;
  const headers = {
    "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
    "Cache-Control": "no-cache",
    "Accept-Ranges": "bytes",
    ETag: etag,
  };
  if (request.headers["if-none-match"] === etag) return void response.writeHead(304, headers).end();

  const range = byteRange(request.headers.range, stat.size);
  if (range === "unsatisfiable") {
    return void response.writeHead(416, { ...headers, "Content-Range": `bytes */${stat.size}` }).end();
  }
  const { start, end } = range ?? { start: 0, end: stat.size - 1 };
  const partial = range ? { "Content-Range": `bytes ${start}-${end}/${stat.size}` } : {};
  response.writeHead(range ? 206 : 200, { ...headers, ...partial, "Content-Length": end - start + 1 });
  if (request.method === "HEAD" || stat.size === 0) return void response.end();
  createReadStream(file, { start, end })
    .on("error", () => response.destroy())
    .pipe(response);
}

/**
 * The path inside the served folder that a request means, or null where it is none.
 * @param {string} url
 * @param {string[]} served
 * @returns {string | null}
 */
export function servedPath(url, served) {
  let path;
  try {
    path = decodeURIComponent(url.split(/[?#]/, 1)[0]);
  } catch {
    return null;
  }
  if (path.includes("\0") || path.includes("\\")) return null;
  if (path.endsWith("/")) path += "index.html";
  const parts = normalize(path).split(sep).filter(Boolean);
  const hidden = parts.some((part) => part.startsWith("."));
  return !hidden && served.includes(parts[0]) ? join(...parts) : null;
}

/**
 * The one byte range of a `Range` header; null where the whole file is to be sent (also for the
 * forms that a server may ignore: several ranges, other units).
 * @param {string | undefined} header
 * @param {number} size
 * @returns {{ start: number, end: number } | "unsatisfiable" | null}
 */
export function byteRange(header, size) {
  const match = header?.match(/^bytes=(\d*)-(\d*)$/);
  if (!match || (match[1] === "" && match[2] === "")) return null;
  if (match[1] === "") {
    const last = Number(match[2]);
    return last === 0 || size === 0 ? "unsatisfiable" : { start: Math.max(0, size - last), end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size) return "unsatisfiable";
  return end < start ? null : { start, end };
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {number} status
 * @param {string} message
 */
function refuse(response, status, message) {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache" });
  response.end(`${message}\n`);
}
