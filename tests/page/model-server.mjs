// A server of one model folder that can be slow, drop connections, lie and refuse: the shipped pair,
// its target lengthened to several chunks.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ROOT } from "../../scripts/commands.mjs";
import { byteRange } from "../../scripts/serve.mjs";

/** Bytes behind the target's last tensor, which nothing reads. */
const PADDING_BYTES = 13_000_000;
const PIECE_BYTES = 1 << 18;

/** How the server behaves; tests change it. */
export const WELL = { ranges: true, drops: 0, dropAfterBytes: 300_000, pauseMs: 0, refused: false, corrupt: false, version: 1 };

export async function startModelServer() {
  const folder = join(ROOT, "models", "mini");
  const behavior = { ...WELL };
  /** Requests for bodies of model files. @type {{ path: string, range: string | undefined }[]} */
  const requests = [];
  const tail = Buffer.alloc(PADDING_BYTES);
  const target = Buffer.concat([readFileSync(join(folder, "target.gguf")), tail]);
  const generator = readFileSync(join(folder, "generator.gguf"));

  /** @param {string} path */
  const fileAt = (path) => {
    // Another version differs in a byte that nothing computes with.
    const bytes = Buffer.from(path === "/target.gguf" ? target : generator);
    if (path === "/target.gguf") bytes[bytes.length - 1] = behavior.version;
    return bytes;
  };
  const manifest = () => {
    const json = JSON.parse(readFileSync(join(folder, "semcot.json"), "utf8"));
    for (const name of ["target", "generator"]) {
      const bytes = fileAt(`/${name}.gguf`);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      json.files[name] = { path: `${name}.gguf`, bytes: bytes.length, sha256 };
    }
    return JSON.stringify(json);
  };

  const server = createServer(async (request, response) => {
    const path = request.url ?? "";
    const cors = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Content-Range" };
    if (path === "/semcot.json") return void response.writeHead(200, { ...cors, "Cache-Control": "no-store" }).end(manifest());
    const bytes = fileAt(path);
    const headers = { ...cors, ETag: `"${behavior.version}"` };
    if (request.method === "HEAD") return void response.writeHead(200, { ...headers, "Content-Length": bytes.length }).end();
    requests.push({ path, range: request.headers.range });
    if (behavior.refused) return void response.destroy();
    if (behavior.corrupt) bytes[7_000_000] ^= 1;
    const range = behavior.ranges ? byteRange(request.headers.range, bytes.length) : null;
    if (range === "unsatisfiable") return void response.writeHead(416, headers).end();
    const { start, end } = range ?? { start: 0, end: bytes.length - 1 };
    const partial = range ? { "Content-Range": `bytes ${start}-${end}/${bytes.length}` } : {};
    response.writeHead(range ? 206 : 200, { ...headers, ...partial, "Content-Length": end - start + 1 });
    const drop = behavior.drops > 0 && end - start > behavior.dropAfterBytes;
    if (drop) behavior.drops--;
    for (let at = start; at <= end; at += PIECE_BYTES) {
      if (drop && at - start > behavior.dropAfterBytes) return void response.destroy();
      response.write(bytes.subarray(at, Math.min(at + PIECE_BYTES, end + 1)));
      await pause(behavior.pauseMs);
    }
    response.end();
  });
  await new Promise((/** @type {(value: void) => void} */ resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    behavior,
    requests,
    targetBytes: target.length,
    bytes: target.length + generator.length,
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
