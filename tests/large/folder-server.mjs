// A server of a folder's files by ranges, over one slow line, which drops a connection midway.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { basename, join } from "node:path";
import { Transform } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { byteRange } from "../../scripts/serve.mjs";

/**
 * @param {string} folder
 * @param {{ bytesPerSecond: number, dropAtByte: number }} options `dropAtByte`: of all bytes sent, the one
 *   at which the answer under way is broken off, once
 */
export async function serveFolder(folder, { bytesPerSecond, dropAtByte }) {
  const counts = { requests: 0, rangeRequests: 0, sentBytes: 0, drops: 0 };
  let lineFreeAt = 0;
  const server = createServer((request, response) => {
    const path = join(folder, basename((request.url ?? "").split("?")[0]));
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Content-Range", ETag: `"${size}"` };
    if (size === undefined) return void response.writeHead(404, headers).end();
    if (request.method === "HEAD") return void response.writeHead(200, { ...headers, "Content-Length": size }).end();
    const isModelFile = path.endsWith(".gguf");
    const range = byteRange(request.headers.range, size);
    if (range === "unsatisfiable") return void response.writeHead(416, headers).end();
    if (isModelFile) counts.requests++;
    if (isModelFile && range) counts.rangeRequests++;
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const partial = range ? { "Content-Range": `bytes ${start}-${end}/${size}` } : {};
    response.writeHead(range ? 206 : 200, { ...headers, ...partial, "Content-Length": end - start + 1 });
    const throttle = new Transform({
      async transform(chunk, _, done) {
        const now = Date.now();
        lineFreeAt = Math.max(lineFreeAt, now) + (1000 * chunk.length) / bytesPerSecond;
        await pause(lineFreeAt - now);
        counts.sentBytes += chunk.length;
        if (counts.drops === 0 && counts.sentBytes >= dropAtByte) {
          counts.drops++;
          return void response.destroy();
        }
        done(null, chunk);
      },
    });
    createReadStream(path, { start, end, highWaterMark: 1 << 18 }).pipe(throttle).pipe(response);
  });
  await new Promise((/** @type {(value: void) => void} */ resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    counts,
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
