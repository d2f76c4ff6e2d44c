// A server of one model folder that can be slow, drop connections, lie and refuse: the shipped pair,
// its target lengthened to several chunks. Under /split/ the same with the target in two files.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ROOT } from "../../scripts/commands.mjs";
import { byteRange } from "../../scripts/serve.mjs";
import { splitGguf } from "./split-gguf.mjs";

/** Bytes behind the target's last tensor, which nothing reads. */
const PADDING_BYTES = 13_000_000;
const PIECE_BYTES = 1 << 18;

/** How the server behaves; tests change it. `refused` are bodies of model files, `gone` is all. `busy` requests are put off for `retryAfter` seconds. */
export const WELL = {
  ranges: true, sizes: true, drops: 0, dropAfterBytes: 300_000, pauseMs: 0, refused: false, gone: false, corrupt: false, version: 1,
  busy: 0, retryAfter: 1,
};

/**
 * The files of the folder by their names.
 * @param {number} [version] differs in a byte that nothing computes with
 * @returns {Map<string, Buffer>}
 */
export function folderFiles(version = 1) {
  const folder = join(ROOT, "models", "mini");
  const target = Buffer.concat([readFileSync(join(folder, "target.gguf")), Buffer.alloc(PADDING_BYTES)]);
  target[target.length - 1] = version;
  const files = new Map([["target.gguf", target], ["generator.gguf", readFileSync(join(folder, "generator.gguf"))]]);
  return files.set("semcot.json", manifest(files, ["target.gguf"]));
}

/**
 * The same with the target in two files.
 * @returns {Map<string, Buffer>}
 */
export function splitFolderFiles() {
  const files = folderFiles();
  const halves = splitGguf(/** @type {Buffer} */ (files.get("target.gguf")), "target");
  files.delete("target.gguf");
  for (const [name, bytes] of halves) files.set(name, bytes);
  return files.set("semcot.json", manifest(files, [...halves.keys()]));
}

/**
 * @param {Map<string, Buffer>} files
 * @param {string[]} targets
 */
function manifest(files, targets) {
  const json = JSON.parse(readFileSync(join(ROOT, "models", "mini", "semcot.json"), "utf8"));
  const entry = (/** @type {string} */ path) => {
    const bytes = /** @type {Buffer} */ (files.get(path));
    return { path, bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  };
  const [first, ...rest] = targets.map(entry);
  json.files = { target: rest.length > 0 ? { ...first, rest } : first, generator: entry("generator.gguf") };
  return Buffer.from(JSON.stringify(json));
}

export async function startModelServer() {
  const behavior = { ...WELL };
  /** Requests for bodies of model files. @type {{ path: string, range: string | undefined, at: number }[]} */
  const requests = [];
  /** Paths of the answers under way, and of those at the last of the fullest moments. @type {string[]} */
  let open = [];
  /** @type {string[]} */
  let most = [];
  const split = splitFolderFiles();
  const versions = new Map([1, 2, 3].map((version) => [version, folderFiles(version)]));

  const server = createServer(async (request, response) => {
    if (behavior.gone) return void response.destroy();
    const path = request.url ?? "";
    const cors = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Content-Range, Retry-After" };
    const files = path.startsWith("/split/") ? split : versions.get(behavior.version);
    const found = files?.get(path.replace(/^.*\//, ""));
    if (found === undefined) return void response.writeHead(404, cors).end();
    if (path.endsWith(".json")) return void response.writeHead(200, { ...cors, "Cache-Control": "no-store" }).end(found);
    const bytes = Buffer.from(found);
    const headers = { ...cors, ETag: `"${behavior.version}"` };
    const length = (/** @type {number} */ size) => (behavior.sizes ? { "Content-Length": size } : {});
    if (request.method === "HEAD") return void response.writeHead(200, { ...headers, ...length(bytes.length) }).end();
    requests.push({ path, range: request.headers.range, at: Date.now() });
    if (behavior.refused) return void response.destroy();
    if (behavior.busy > 0) {
      behavior.busy--;
      return void response.writeHead(429, { ...cors, "Retry-After": behavior.retryAfter }).end();
    }
    if (behavior.corrupt) bytes[7_000_000] ^= 1;
    const range = behavior.ranges ? byteRange(request.headers.range, bytes.length) : null;
    if (range === "unsatisfiable") return void response.writeHead(416, headers).end();
    const { start, end } = range ?? { start: 0, end: bytes.length - 1 };
    const partial = range ? { "Content-Range": `bytes ${start}-${end}/${bytes.length}` } : {};
    response.writeHead(range ? 206 : 200, { ...headers, ...partial, ...length(end - start + 1) });
    open.push(path);
    if (open.length >= most.length) most = [...open];
    const ended = once(() => (open = open.filter((_, index) => index !== open.indexOf(path))));
    response.on("close", ended);
    const drop = behavior.drops > 0 && end - start > behavior.dropAfterBytes;
    if (drop) behavior.drops--;
    for (let at = start; at <= end; at += PIECE_BYTES) {
      if (drop && at - start > behavior.dropAfterBytes) return void response.destroy();
      await pause(behavior.pauseMs);
      // With the last piece the client has all, and may ask for more.
      if (at + PIECE_BYTES > end) ended();
      response.write(bytes.subarray(at, Math.min(at + PIECE_BYTES, end + 1)));
    }
    response.end();
  });
  await new Promise((/** @type {(value: void) => void} */ resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    behavior,
    requests,
    /** Paths of the answers at the moment when there were most at once. */
    get most() {
      return most;
    },
    /** Drops every connection, as a server that dies. */
    dropAll: () => server.closeAllConnections(),
    /** Well-behaved again, and with nothing on record. */
    reset() {
      Object.assign(behavior, WELL);
      requests.length = 0;
      [open, most] = [[], []];
    },
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @param {() => void} work */
function once(work) {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}
