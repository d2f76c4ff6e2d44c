// Answers like the Hugging Face hub, of repositories made of the shipped pair's files.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { ROOT } from "../../scripts/commands.mjs";

const FOLDER = join(ROOT, "models", "mini");
/** Files by repository. */
const REPOSITORIES = new Map(Object.entries({
  "someone/a-pair": ["README.md", "semcot.json", "generator.gguf", "target.gguf"],
  "someone/two-models": ["README.md", "target.gguf", "generator.gguf", "part-00002-of-00002.gguf"],
  "someone/no-models": ["README.md", "model.safetensors"],
}));

export async function startHub() {
  /** Paths asked for. @type {string[]} */
  const requests = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    const cors = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Content-Range" };
    const [, listed] = path.match(/^\/api\/models\/([^/]+\/[^/]+)$/) ?? [];
    const files = REPOSITORIES.get(listed);
    if (files) {
      const siblings = files.map((rfilename) => ({ rfilename }));
      return void response.writeHead(200, { ...cors, "Content-Type": "application/json" }).end(JSON.stringify({ id: listed, siblings }));
    }
    const [, repository, file] = path.match(/^\/([^/]+\/[^/]+)\/resolve\/main\/(.+)$/) ?? [];
    if (!REPOSITORIES.get(repository)?.includes(file)) return void response.writeHead(401, cors).end("Invalid username or password.");
    const bytes = readFileSync(join(FOLDER, file));
    response.writeHead(200, { ...cors, ETag: `"${file}"`, "Content-Length": bytes.length }).end(request.method === "HEAD" ? undefined : bytes);
  });
  await new Promise((/** @type {(value: void) => void} */ resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
