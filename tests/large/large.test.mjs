// Models of the size that people have, with random weights: converted, fetched over a bad line, asked.
// Takes minutes and some gigabytes of disk: `npm test -- --only large`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { targetFolder } from "../../scripts/commands.mjs";
import { vulkanEnvironment } from "../../scripts/setup.mjs";
import { startHarness } from "../page/harness.mjs";
import { serveFolder } from "./folder-server.mjs";
import { watchHeaps } from "./memory.mjs";
import { LIGHT_GENERATOR, LLAMA_2_7B, SHEARED_LLAMA_1_3B, writeRandomModel } from "./random-model.mjs";

const MB = 1e6;
const WASM_LIMIT = 128 * MB;
const HEAP_LIMIT = 300 * MB;
const CONVERT_LIMIT = 1500 * MB;
const work = join(targetFolder(), "large");
const semcot = join(targetFolder(), "release", "semcot");

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  harness = await startHarness();
});
after(async () => {
  await harness.stop();
  rmSync(work, { recursive: true, force: true });
});

/**
 * Runs the command; gives what it printed, its seconds and its greatest memory (Linux's count).
 * @param {string[]} args
 */
async function run(...args) {
  const began = Date.now();
  const child = spawn(semcot, args, { cwd: work, env: { ...process.env, ...vulkanEnvironment() } });
  let [stdout, stderr, peakBytes] = ["", "", 0];
  child.stdout.on("data", (data) => (stdout += data));
  child.stderr.on("data", (data) => (stderr += data));
  const sampling = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peakBytes = Math.max(peakBytes, 1024 * Number(status.match(/VmHWM:\s*(\d+)/)?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 50);
  const [code] = await once(child, "close");
  clearInterval(sampling);
  assert.equal(code, 0, stderr);
  assert.ok(peakBytes > 0);
  return { stdout, seconds: (Date.now() - began) / 1000, peakBytes };
}

const mb = (/** @type {number} */ bytes) => `${(bytes / MB).toFixed(0)} MB`;

test("a_pair_with_a_target_of_1_3_billion_parameters_is_fetched_over_a_bad_line_and_answers_in_all_modes", async (t) => {
  const written = writeRandomModel(join(work, "target"), SHEARED_LLAMA_1_3B);
  writeRandomModel(join(work, "generator"), LIGHT_GENERATOR, { projectedTo: SHEARED_LLAMA_1_3B.hidden });
  const { seconds, peakBytes } = await run("convert", "target", "--out", "pair", "--quant", "Q4_0", "--role", "target");
  t.diagnostic(`${written.parameters} parameters, ${mb(written.bytes)}: converted in ${seconds.toFixed(0)} s with ${mb(peakBytes)}`);
  assert.ok(peakBytes < CONVERT_LIMIT);
  rmSync(join(work, "target"), { recursive: true });
  await run("convert", "generator", "--out", "pair", "--quant", "Q8_0", "--role", "generator", "--prompts", "small", "--max-tokens", "8");
  const targetBytes = statSync(join(work, "pair", "target.gguf")).size;

  const server = await serveFolder(join(work, "pair"), { bytesPerSecond: 40 * MB, dropAtByte: 300 * MB });
  const { page, close } = await harness.open({ query: "MODEL_CARD.md" });
  const heaps = await watchHeaps(page);
  const use = () => page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const began = performance.now();
    let last;
    const engine = await SemCoT.load(${JSON.stringify(server.url)}, { device: "gpu", onProgress: (step) => (last = step) });
    const loadedMs = performance.now() - began;
    const answers = {};
    for (const mode of ["implicit", "explicit", "direct"]) {
      const { tokens, ms } = await engine.ask("Tom has 7 marbles. He loses 2. How many are left?", { mode });
      answers[mode] = { tokens, ms: ms.total };
    }
    const wasmBytes = await engine.wasmMemoryBytes();
    const { storage } = engine.info;
    await engine.dispose();
    return { loadedMs, answers, wasmBytes, storage, last };
  })()`);
  try {
    const first = await use();
    t.diagnostic(`first: target ${mb(targetBytes)}, loaded in ${(first.loadedMs / 1000).toFixed(1)} s, ${JSON.stringify(first.answers)}`);
    t.diagnostic(`first: wasm ${mb(first.wasmBytes)}, JS heaps at most ${mb(heaps.peak.usedBytes)}, ${JSON.stringify(server.counts)}`);
    assert.equal(server.counts.drops, 1, "the line did break");
    assert.equal(server.counts.rangeRequests, server.counts.requests);
    assert.equal(first.storage.kind, "opfs", first.storage.reason);

    const before = server.counts.requests;
    const second = await use();
    t.diagnostic(`second: loaded in ${(second.loadedMs / 1000).toFixed(1)} s, wasm ${mb(second.wasmBytes)}, JS heaps at most ${mb(heaps.peak.usedBytes)}`);
    assert.equal(server.counts.requests, before, "the second load fetched a file");
    assert.equal(second.last.cached, true);
    for (const { answers, wasmBytes } of [first, second]) {
      for (const mode of ["implicit", "explicit", "direct"]) assert.ok(answers[mode].tokens > 0, mode);
      assert.ok(wasmBytes < WASM_LIMIT, mb(wasmBytes));
    }
    assert.ok(heaps.peak.workerSamples > 10, "the worker's heap was not seen");
    assert.ok(heaps.peak.usedBytes < HEAP_LIMIT, mb(heaps.peak.usedBytes));
  } finally {
    await heaps.stop();
    await close();
    await server.stop();
  }
});

test("a_model_of_7_billion_parameters_is_converted_in_little_memory_and_passes_the_preflight", async (t) => {
  const written = writeRandomModel(join(work, "seven"), LLAMA_2_7B);
  const { seconds, peakBytes } = await run("convert", "seven", "--out", "seven-q4", "--quant", "Q4_0", "--shard-bytes", String(1000 * MB));
  t.diagnostic(`${written.parameters} parameters, ${mb(written.bytes)}: converted in ${seconds.toFixed(0)} s with ${mb(peakBytes)}`);
  assert.ok(peakBytes < CONVERT_LIMIT, mb(peakBytes));
  rmSync(join(work, "seven"), { recursive: true });
  const files = readdirSync(join(work, "seven-q4")).filter((file) => file.endsWith(".gguf")).sort();
  assert.ok(files.length > 3, files.join(" "));

  const inspected = JSON.parse((await run("inspect", join("seven-q4", files[0]), "--json")).stdout);
  t.diagnostic(`limits: ${JSON.stringify(inspected.gpu_limits)}`);
  assert.ok(inspected.gpu_limits.maxBufferSize <= 2 ** 28, "more than any WebGPU device allows");
  assert.ok(inspected.gpu_limits.maxStorageBufferBindingSize <= 2 ** 27, "more than any WebGPU device allows");

  // Whether it runs is told, not asked for: that is a matter of memory.
  const server = await serveFolder(join(work, "seven-q4"), { bytesPerSecond: 1000 * MB, dropAtByte: Infinity });
  const { page, close } = await harness.open({ query: "MODEL_CARD.md" });
  const heaps = await watchHeaps(page);
  const became = await page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const began = performance.now();
    const phases = new Set();
    const onProgress = (step) => phases.add(step.phase);
    try {
      const engine = await SemCoT.load(${JSON.stringify(server.url + files[0])}, { device: "gpu", onProgress });
      const loadedMs = performance.now() - began;
      const { tokens, ms } = await engine.generate("Tom has 7 marbles.", { maxTokens: 2, ignoreEnd: true });
      const wasmBytes = await engine.wasmMemoryBytes();
      return { loadedMs, tokens, ms, wasmBytes, storage: engine.info.storage, phases: [...phases] };
    } catch ({ code, message }) {
      return { code, message, afterMs: performance.now() - began, phases: [...phases] };
    }
  })()`);
  await heaps.stop();
  await close();
  await server.stop();
  t.diagnostic(`in Chromium: ${JSON.stringify(became)}, JS heaps at most ${mb(heaps.peak.usedBytes)}`);
  assert.ok(became.phases.includes("download"), "refused before the download");
});
