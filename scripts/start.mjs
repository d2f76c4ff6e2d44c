// `npm start`: installs what is missing, builds the wasm, serves the page.

import { Trouble, readOptions, runMain } from "./commands.mjs";
import { buildPage } from "./build.mjs";
import { startServer } from "./serve.mjs";

await runMain(async () => {
  const { port: given = "8080" } = readOptions(["port"]);
  const port = Number(given);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Trouble(`--port ${given}: a number from 0 to 65535`);

  // The port first: nobody wants to hear after minutes of building that it is taken.
  const server = await startServer({ port });
  try {
    await buildPage();
  } catch (error) {
    await server.close();
    throw error;
  }
  console.log(`\nsemcot is at ${server.url}  (Ctrl+C ends it)`);
});
