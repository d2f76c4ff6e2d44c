// The package through bundlers that no example uses: webpack, which knows workers and wasm by the words that
// they are named with, and esbuild, which does not, so that the worker is an entry of its own and the wasm is
// copied beside what it makes.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launchChromium } from "../../scripts/browsers.mjs";
import { ROOT } from "../../scripts/commands.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { installedBundlers, installedExample, packed } from "./project.mjs";

/** @type {Awaited<ReturnType<typeof packed>>} */ let pack;
/** @type {import("playwright-core").Browser} */ let browser;
/** The vanilla example, with the package. @type {string} */ let example;
/** @type {NodeJS.Require} */ let bundler;
/** @type {(() => Promise<void>)[]} */
const servers = [];
before(async () => {
  [pack, browser] = await Promise.all([packed(), launchChromium()]);
  example = await installedExample(pack, "vanilla");
  bundler = createRequire(join(await installedBundlers(pack), "package.json"));
});
after(async () => {
  await browser?.close();
  for (const stop of servers) await stop();
  rmSync(pack.folder, { recursive: true });
});

/**
 * Opens the example by what was bundled, and has one problem answered.
 * @param {string} folder of the example
 */
async function answerFrom(folder) {
  const dist = join(example, folder);
  const html = readFileSync(join(example, "index.html"), "utf8").replace(/<script type="importmap">.*<\/script>/, "");
  assert.ok(!html.includes("importmap"));
  writeFileSync(join(dist, "index.html"), html);
  cpSync(join(example, "style.css"), join(dist, "style.css"));
  // The example names its model as it lies there.
  const models = join("node_modules", "semcot", "models", "mini");
  cpSync(join(example, models), join(dist, models), { recursive: true });
  const server = await startServer({ port: 0, root: dist, served: readdirSync(dist) });
  servers.push(server.close);
  const page = await browser.newPage();
  /** @type {string[]} */
  const trouble = [];
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("response", (response) => response.ok() || trouble.push(`${response.status()} ${response.url()}`));
  await page.goto(`${server.url}?seed=7`);
  await page.locator("#answer:enabled").waitFor({ timeout: 60_000 });
  await page.fill("#own", "1000");
  await page.click("#answer");
  await page.locator("#next:enabled").waitFor();
  assert.match(await page.innerText("#status"), /^It is (\d+)\. You said 1000; the machine said \1 after /);
  assert.equal(page.workers().length, 1, "the engine runs in a worker");
  assert.deepEqual(trouble, []);
  await page.close();
}

test("webpack_bundles_it_with_its_worker_and_wasm_without_being_told", async () => {
  const webpack = bundler("webpack");
  const stats = await promisify(webpack)({
    mode: "production",
    context: example,
    entry: "./main.js",
    experiments: { outputModule: true },
    output: { path: join(example, "webpack"), filename: "main.js", module: true },
  });
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual(errors, []);
  const unusual = warnings.filter((/** @type {any} */ it) => !/size limit|performance/i.test(it.message));
  assert.deepEqual(unusual, []);
  await answerFrom("webpack");
});

test("esbuild_bundles_it_with_the_worker_as_an_entry_and_the_wasm_copied_beside", async () => {
  const { build } = bundler("esbuild");
  const outdir = join(example, "esbuild");
  mkdirSync(outdir, { recursive: true });
  const { errors, warnings } = await build({
    absWorkingDir: example,
    entryPoints: { main: "main.js", worker: "semcot/worker.js" },
    bundle: true,
    format: "esm",
    splitting: true,
    outdir,
    logLevel: "silent",
  });
  assert.deepEqual([errors, warnings], [[], []]);
  for (const name of ["semcot_bg.wasm", "semcot_cpu_bg.wasm"]) cpSync(join(example, "node_modules", "semcot", "www", "pkg", name), join(outdir, name));
  await answerFrom("esbuild");
});

test("the_docs_tell_what_esbuild_wants", () => {
  const text = readFileSync(join(ROOT, "docs", "hosting.html"), "utf8");
  for (const word of ["semcot/worker.js", "semcot_bg.wasm", "semcot_cpu_bg.wasm", "--splitting"]) assert.ok(text.includes(word), word);
});
