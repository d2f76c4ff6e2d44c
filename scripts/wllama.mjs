// `node scripts/wllama.mjs --model target.gguf`: this project's CPU engine beside wllama 3.8.1 (llama.cpp
// in wasm), each on one thread, on the same GGUF file in the same page of headless Chromium, taking turns.
// Writes reports/cpu-wllama-NAME.json.
//
//   --rounds 7     measured runs of each, after one that is not
//   --prompt 64    tokens read
//   --decode 32    tokens written
//   --name NAME    of the report; the file's name unless told
//
// wllama's own timings count for it: what its server takes for each request does not. It is installed
// into a folder of its own, because it takes 20 MB.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { launchChromium } from "./browsers.mjs";
import { buildPage } from "./build.mjs";
import { ROOT, Trouble, readOptions, run, runMain } from "./commands.mjs";
import { startServer } from "./serve.mjs";

const VERSION = "3.8.1";

await runMain(async () => {
  const given = readOptions(["model", "rounds", "prompt", "decode", "name"]);
  const model = resolve(String(given.model ?? "models/mini/target.gguf"));
  if (!existsSync(model)) throw new Trouble(`--model ${model}: there is no such file`);
  const settings = { rounds: Number(given.rounds ?? 7), promptTokens: Number(given.prompt ?? 64), decodeTokens: Number(given.decode ?? 32) };
  const installed = await install();
  await buildPage();
  const server = await startServer({ port: 0, mounts: { wllama: installed, measured: dirname(model) } });
  const browser = await launchChromium({ webGpu: false });
  try {
    const page = await browser.newPage();
    await page.goto(`${server.url}www/icon.svg`);
    const figures = await page.evaluate(measure, { file: `/measured/${basename(model)}`, ...settings });
    const name = String(given.name ?? basename(model, ".gguf"));
    const report = {
      // Without the folder, which is this machine's.
      made_by: `node scripts/wllama.mjs ${process.argv.slice(2).join(" ").replace(String(given.model), basename(String(given.model)))}`.trim(),
      browser: `chromium ${browser.version()}`,
      wllama: VERSION,
      file: basename(model),
      ...settings,
      ...figures,
    };
    const path = join(ROOT, "reports", `cpu-wllama-${name}.json`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
    console.log(JSON.stringify(report, null, 2));
  } finally {
    await browser.close();
    await server.close();
  }
});

/** @returns {Promise<string>} the folder with wllama's modules */
async function install() {
  const folder = join(tmpdir(), `semcot-wllama-${VERSION}`);
  const esm = join(folder, "node_modules", "@wllama", "wllama", "esm");
  if (!existsSync(join(esm, "index.js"))) {
    mkdirSync(folder, { recursive: true });
    await run("npm", ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", `@wllama/wllama@${VERSION}`]);
  }
  return esm;
}

/**
 * In the page.
 * @param {{ file: string, rounds: number, promptTokens: number, decodeTokens: number }} options
 */
async function measure({ file, rounds, promptTokens, decodeTokens }) {
  const load = (/** @type {string} */ url) => import(url);
  const { SemCoT } = await load("/www/semcot.js");
  const { Wllama } = await load("/wllama/index.js");
  const blob = await (await fetch(file)).blob();

  let from = performance.now();
  const semcot = await SemCoT.load(new File([blob], "model.gguf"), { device: "cpu" });
  const semcotLoadMs = performance.now() - from;

  const quiet = { debug: () => {}, log: () => {}, warn: () => {}, error: () => {} };
  const wllama = new Wllama({ default: "/wllama/wasm/wllama.wasm" }, { logger: quiet });
  from = performance.now();
  try {
    await wllama.loadModel([blob], { n_ctx: 512, n_threads: 1, n_gpu_layers: 0 });
  } catch (error) {
    const { name, message } = /** @type {Error} */ (error);
    return { refused_by_wllama: `${name}: ${message}` };
  }
  const wllamaLoadMs = performance.now() - from;

  /** Tokens a second of one run of each. */
  const ofSemcot = async () => {
    const bench = await semcot.bench({ promptTokens, decodeTokens: decodeTokens + 1, repeats: 1 });
    return { prefill: promptTokens / (bench.prefillMs.median / 1000), decode: decodeTokens / (bench.decodeMs.median / 1000) };
  };
  // A prompt of about as many tokens: llama.cpp counts its own.
  const words = (/** @type {number} */ round) => Array.from({ length: promptTokens }, (_, index) => String.fromCharCode(97 + ((index * 7 + round) % 26))).join("");
  const ofWllama = async (/** @type {number} */ round) => {
    const { timings } = await wllama.createCompletion({ prompt: words(round), max_tokens: decodeTokens, temperature: 0, ignore_eos: true, cache_prompt: false });
    return { prefill: timings.prompt_per_second, decode: timings.predicted_per_second, promptTokens: timings.prompt_n, decodeTokens: timings.predicted_n };
  };
  /** @type {Record<string, { prefill: number, decode: number }[]>} */
  const runs = { semcot: [], wllama: [] };
  for (let round = 0; round <= rounds; round++) {
    const [first, second] = [await ofSemcot(), await ofWllama(round)];
    if (round === 0) continue;
    runs.semcot.push(first);
    runs.wllama.push(second);
  }
  const median = (/** @type {number[]} */ values) => values.sort((a, b) => a - b)[values.length >> 1];
  const medians = (/** @type {{ prefill: number, decode: number }[]} */ of) => ({ prefill: median(of.map((it) => it.prefill)), decode: median(of.map((it) => it.decode)) });
  const [ours, theirs] = [medians(runs.semcot), medians(runs.wllama)];
  return {
    threads_of_wllama: wllama.getNumThreads(),
    load_ms: { semcot: semcotLoadMs, wllama: wllamaLoadMs },
    tokens_per_second: { semcot: ours, wllama: theirs },
    ratio: { prefill: ours.prefill / theirs.prefill, decode: ours.decode / theirs.decode },
    runs,
  };
}
