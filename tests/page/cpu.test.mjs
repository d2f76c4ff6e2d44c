// The engine on the CPU: chosen where there is no WebGPU, or one that is computed by the CPU and slower;
// right in every mode, stopped at once, gone when disposed of. What it costs the visitors who do not need
// it: nothing.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, readLane, serious, startHarness, untilReady } from "./harness.mjs";

const QUESTION = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let withGpu;
/** @type {Awaited<ReturnType<typeof startHarness>>} */ let without;
before(async () => {
  withGpu = await startHarness();
  without = await startHarness({ webGpu: false });
});
after(() => Promise.all([withGpu.stop(), without.stop()]));

/**
 * A page in which scripts can be run with `SemCoT` at hand.
 * @param {typeof withGpu} harness
 */
async function openPage(harness) {
  /** @type {string[]} */
  const wasm = [];
  const watch = async (/** @type {import("playwright-core").Page} */ page) => {
    page.context().on("request", (request) => request.url().endsWith(".wasm") && wasm.push(request.url().split("/").at(-1) ?? ""));
  };
  const opened = await harness.open({ query: "MODEL_CARD.md", prepare: watch });
  return {
    ...opened,
    wasm,
    /** @param {string} body of an async function @returns {Promise<any>} */
    run: (body) =>
      opened.page.evaluate(`(async () => {
        const { SemCoT, MODES } = await import("/www/semcot.js");
        const QUESTION = ${JSON.stringify(QUESTION)};
        const caught = async (promise) => promise.then(() => null, ({ name, code, message }) => ({ name, code, message }));
        ${body}
      })()`),
  };
}

test("without_webgpu_the_page_answers_right_in_every_mode_and_says_what_computes", async () => {
  for (const [locale, says] of /** @type {const} */ ([["en-US", "WebGPU cannot be used, so the CPU computes"], ["ko-KR", "WebGPU를 쓸 수 없어 CPU"]])) {
    const { page, consoleErrors, close } = await without.open({ device: "auto", locale });
    await untilReady(page);
    await ask(page, QUESTION);
    const lanes = await Promise.all(["implicit", "explicit", "direct"].map((mode) => readLane(page, /** @type {"implicit"} */ (mode))));
    assert.deepEqual(lanes.slice(0, 2).map(({ answer }) => answer), ["9", "9"]);
    assert.deepEqual(lanes.map(({ vectors }) => vectors), [4, 0, 0]);
    assert.match(lanes[1].reasoning, /12 - 5 = 7/);
    const facts = await page.locator("#facts").textContent();
    assert.ok(facts?.includes("CPU, wasm SIMD") && facts.includes(says), facts ?? "");
    // How to turn WebGPU on is there for who wants it, and in nobody's way.
    const way = page.locator("#webgpu-ways [data-browser=chrome]");
    assert.equal(await way.isVisible(), false);
    await page.click("#webgpu summary");
    assert.ok(await way.isVisible() && (await way.textContent())?.includes("chrome://flags/#enable-unsafe-webgpu"));
    assert.deepEqual(await serious(page), []);
    assert.deepEqual(consoleErrors, []);
    await close();
  }
});

test("who_asked_for_the_cpu_is_not_told_how_to_turn_webgpu_on", async () => {
  const { page, close } = await without.open({ device: "cpu" });
  await untilReady(page);
  assert.match((await page.textContent("#facts")) ?? "", /the CPU was asked for/);
  assert.equal(await page.isVisible("#webgpu"), false);
  await close();
});

test("where_only_a_software_adapter_computes_the_page_says_how_to_turn_webgpu_on", async () => {
  const { page, close } = await withGpu.open({ device: "auto" });
  await untilReady(page);
  assert.match((await page.textContent("#facts")) ?? "", /WebGPU here is computed by the CPU/);
  assert.ok(await page.isVisible("#webgpu summary"));
  await close();
});

test("both_devices_write_the_same_tokens_and_the_cpu_times_its_phases", async () => {
  const { run, close } = await openPage(withGpu);
  const [cpu, gpu] = await run(`
    const answers = [];
    for (const device of ["cpu", "gpu"]) {
      const engine = await SemCoT.load("models/mini/", { device, kv: "f32" });
      const of = [];
      for (const mode of MODES) of.push(await engine.ask(QUESTION, { mode }));
      answers.push({ of, device: engine.info.device, adapter: engine.info.adapter.name });
      await engine.dispose();
    }
    return answers;`);
  const tokens = (/** @type {any} */ { of }) => of.map((/** @type {any} */ it) => it.tokenIds);
  assert.deepEqual(tokens(cpu), tokens(gpu));
  assert.deepEqual([cpu.device.kind, cpu.device.reason, cpu.adapter], ["cpu", "asked", "CPU, wasm SIMD"]);
  assert.deepEqual([gpu.device.kind, gpu.device.reason], ["gpu", "asked"]);
  for (const { mode, ms, submits } of cpu.of) {
    assert.equal(submits, 0);
    assert.equal(ms.generator > 0, mode === "implicit");
    assert.ok(ms.prefill > 0 && ms.decode >= 0 && ms.total >= ms.prefill, JSON.stringify(ms));
  }
  await close();
});

test("of_a_software_adapter_and_the_cpu_the_faster_is_used", async () => {
  const { run, wasm, close } = await openPage(withGpu);
  const device = await run(`
    const engine = await SemCoT.load("models/mini/");
    const { answer } = await engine.ask(QUESTION);
    if (answer !== "9") throw new Error(answer);
    const { device } = engine.info;
    await engine.dispose();
    return device;`);
  assert.equal(device.reason, "faster");
  const { cpu, gpu } = device.measuredMs;
  assert.ok(cpu >= 0 && gpu > 0);
  assert.equal(device.kind, cpu <= gpu ? "cpu" : "gpu");
  assert.deepEqual(wasm.sort(), ["semcot_bg.wasm", "semcot_cpu_bg.wasm"]);
  await close();
});

test("what_was_measured_once_is_not_measured_again_until_something_changes", async () => {
  const { run, wasm, close } = await openPage(withGpu);
  const load = (/** @type {string} */ model) => run(`
    const engine = await SemCoT.load("models/mini/${model}");
    const { device } = engine.info;
    await engine.dispose();
    return device;`);
  // Times that no measurement gives: whoever finds them has remembered them.
  const keep = (/** @type {number} */ cpu, /** @type {number} */ gpu) => run(`
    const store = await caches.open("semcot-devices");
    const keys = await store.keys();
    for (const key of keys) await store.put(key, new Response(JSON.stringify({ cpu: ${cpu}, gpu: ${gpu} })));
    return keys.length;`);
  const first = await load("");
  assert.equal(await keep(12345, 23456), 1);
  wasm.length = 0;
  const second = await load("");
  assert.deepEqual(second, { ...first, kind: "cpu", reason: "faster", measuredMs: { cpu: 12345, gpu: 23456 } });
  assert.deepEqual(wasm, ["semcot_cpu_bg.wasm"]);
  const other = await load("target.gguf");
  assert.notEqual(other.measuredMs.cpu, 12345, "another model was measured");
  // A graphics device that was faster is measured again: its driver may have changed.
  assert.equal(await keep(23456, 12345), 2);
  assert.notEqual((await load("")).measuredMs.gpu, 12345);
  // What cannot be read is as good as nothing.
  await run(`const store = await caches.open("semcot-devices"); for (const key of await store.keys()) await store.put(key, new Response("{"));`);
  assert.equal((await load("")).reason, "faster");
  await close();
});

test("a_graphics_device_is_used_without_fetching_anything_for_the_cpu", async () => {
  const { run, wasm, page, close } = await openPage(withGpu);
  // In the page itself, where a script of ours can speak for the adapter.
  const device = await run(`
    const { prototype } = GPUAdapterInfo;
    Object.defineProperty(prototype, "isFallbackAdapter", { get: () => false });
    const engine = await SemCoT.load("models/mini/", { worker: false });
    return engine.info.device;`);
  assert.deepEqual([device.kind, device.reason, device.measuredMs], ["gpu", "hardware", null]);
  assert.deepEqual(wasm, ["semcot_bg.wasm"]);
  assert.equal(page.workers().length, 0);
  await close();
});

test("implicit_tokens_and_texts_look_on_the_cpu_as_on_the_graphics_device", async () => {
  const { run, close } = await openPage(withGpu);
  const [cpu, gpu] = await run(`
    const looked = [];
    for (const device of ["cpu", "gpu"]) {
      const engine = await SemCoT.load("models/mini/", { device, kv: "f32" });
      const problems = await engine.problems({ family: "arithmetic", seed: 5, count: 6 });
      const bank = problems.map(({ reasoning }) => reasoning);
      const embeddings = await engine.embed(bank);
      const { vectors, cosines, values, alignment } = await engine.inspect(QUESTION, { bank });
      const words = vectors.map(({ nearest }) => nearest[0].text);
      looked.push({ words, norms: vectors.map(({ norm }) => norm), cosines: cosines.flat(), values: [...values], embeddings: embeddings.map((it) => [...it]), rank: alignment.rank, ranking: alignment.ranking.map(({ text }) => text) });
      await engine.dispose();
    }
    return looked;`);
  assert.equal(cpu.rank, 1, "its own reasoning of seven");
  assert.deepEqual([cpu.words, cpu.ranking], [gpu.words, gpu.ranking]);
  assert.deepEqual([cpu.ranking.length, cpu.embeddings.length, cpu.norms.length], [7, 6, 4]);
  // Activations are rounded to 16 bits on the CPU: beside the length of a vector that is little.
  const distance = (/** @type {number[]} */ a, /** @type {number[]} */ b) => Math.hypot(...a.map((value, index) => value - b[index])) / Math.hypot(...b);
  for (const [index, embedding] of cpu.embeddings.entries()) assert.ok(distance(embedding, gpu.embeddings[index]) < 2e-3, `text ${index}`);
  assert.ok(distance(cpu.values, gpu.values) < 2e-3, `${distance(cpu.values, gpu.values)}`);
  assert.ok(distance(cpu.cosines, gpu.cosines) < 2e-3);
  await close();
});

test("without_webgpu_one_can_look_inside_in_the_page", async () => {
  const { page, consoleErrors, close } = await without.open({ device: "auto" });
  await untilReady(page);
  await ask(page, QUESTION);
  await page.click("#look summary");
  await page.locator("#look-result[data-empty=false][aria-busy=false]").waitFor({ timeout: 60_000 });
  assert.match((await page.textContent("#look-ranking-summary")) ?? "", /the vectors read most like the question's own\.$/);
  assert.equal(await page.locator("#look-vectors .vector").count(), 4);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_single_model_writes_and_gives_its_states_on_the_cpu", async () => {
  const { run, close } = await openPage(without);
  const { written, longest, hidden, same, bench, measured, refused, stopped } = await run(`
    const single = await SemCoT.load("models/mini/target.gguf");
    const written = await single.generate(QUESTION, { maxTokens: 12, ignoreEnd: true });
    const drawn = () => single.generate(QUESTION, { maxTokens: 12, temperature: 0.9, topK: 20, seed: 7 });
    const same = (await drawn()).text === (await drawn()).text;
    const ids = Array.from({ length: 100 }, (_, index) => (index * 7) % 200);
    const longest = await single.forward(ids, { give: "allLogits" });
    const hidden = await single.forward(ids, { give: "hiddenStates" });
    const bench = await single.bench({ promptTokens: 100, decodeTokens: 100, repeats: 2 });
    const { weightType, passBytes, bytes } = single.info.models[0];
    const few = { promptTokens: 4, decodeTokens: 4, repeats: 1 };
    const measured = [await single.bench({ ...few, matvecBytes: passBytes, weightTypes: [weightType] }), await single.bench({ ...few, matvecBytes: 1 }), passBytes <= bytes];
    const refused = [await caught(single.bench({ matvecBytes: 1, weightTypes: ["Q9_9"] })), await caught(single.bench({ matvecBytes: 2 ** 40 }))];
    const stop = new AbortController();
    const stopping = caught(single.bench({ ...few, matvecBytes: 2 ** 24, signal: stop.signal }));
    setTimeout(() => stop.abort(), 50);
    return { written, longest: longest.length / ids.length, hidden: hidden.length / ids.length, same, bench, measured, refused, stopped: await stopping };`);
  assert.equal(written.ids.length, 12);
  assert.ok(written.text.length > 0 && same);
  assert.deepEqual([longest, hidden].map(Number.isInteger), [true, true]);
  assert.ok(bench.prefillMs.median > 0 && bench.decodeMs.median > 0);
  assert.equal(bench.bandwidth, null);
  const [{ bandwidth, matvec, decodeMsPerToken }, all, fits] = measured;
  assert.deepEqual([matvec.length, matvec[0].weightType, fits], [1, "Q8_0", true]);
  for (const it of [...matvec, ...all.matvec]) assert.ok(it.matvecGbPerS > 0 && it.copyGbPerS > 0 && it.bytes > 0, JSON.stringify(it));
  assert.ok(all.matvec.length > 10, "every type of weights");
  // As many bytes as a pass reads, in whole groups of four rows.
  assert.ok(Math.abs(matvec[0].bytes / bandwidth.passBytes - 1) < 0.1, JSON.stringify({ matvec, bandwidth }));
  assert.ok(Math.abs(bandwidth.floorMsPerToken / (bandwidth.passBytes / bandwidth.gbPerS / 1e6) - 1) < 1e-9);
  assert.ok(bandwidth.floorMsPerToken < decodeMsPerToken, JSON.stringify({ bandwidth, decodeMsPerToken }));
  assert.deepEqual(refused.map(({ code }) => code), ["bad-input", "out-of-memory"]);
  assert.match(refused[0].message, /Q9_9.*Q8_0/);
  assert.equal(stopped.name, "AbortError");
  await close();
});

test("aborts_at_any_moment_settle_and_the_engine_goes_on_at_once", async () => {
  const { run, close } = await openPage(without);
  const { odd, aborted, long, answer, seed } = await run(`
    const engine = await SemCoT.load("models/mini/");
    const seed = Math.floor(Math.random() * 1e6);
    let state = seed;
    const random = () => (state = (state * 48271 + 11) % 2147483647) / 2147483647;
    const odd = [];
    let aborted = 0;
    for (let round = 0; round < 40; round++) {
      const stop = new AbortController();
      const asked = caught(engine.ask(QUESTION, { mode: "explicit", signal: stop.signal }));
      setTimeout(() => stop.abort(), random() * 15);
      const error = await asked;
      if (error?.name === "AbortError" && error.code === "aborted") aborted++;
      else if (error !== null) odd.push(error);
    }
    // Minutes, were it not heard of: the answer below would come after all of it.
    const stop = new AbortController();
    const comparison = engine.compare(QUESTION, { repeats: 1000, signal: stop.signal });
    const long = await caught((async () => {
      for await (const { done } of comparison) if (done === 3) stop.abort();
    })());
    const { answer } = await engine.ask(QUESTION);
    return { odd, aborted, long, answer, seed };`);
  assert.deepEqual(odd, [], `seed ${seed}`);
  assert.ok(aborted > 0, `seed ${seed}`);
  assert.equal(long.name, "AbortError");
  assert.equal(answer, "9");
  await close();
});

test("disposing_frees_the_models_and_loading_again_takes_no_more_memory", async () => {
  const { run, page, close } = await openPage(without);
  const sizes = await run(`
    const sizes = [];
    for (let round = 0; round < 20; round++) {
      // In the page: one wasm memory for all of them.
      const engine = await SemCoT.load("models/mini/", { worker: false });
      await engine.ask(QUESTION);
      sizes.push(await engine.wasmMemoryBytes());
      await engine.dispose();
      await caught(engine.ask(QUESTION)).then((error) => { if (error?.code !== "aborted") throw new Error(JSON.stringify(error)); });
    }
    return sizes;`);
  assert.equal(page.workers().length, 0);
  // The allocator finds its places in the first rounds; a pair is 2 MB.
  assert.equal(sizes[19], sizes[9], `${sizes}`);
  await close();
});

test("who_asks_for_kernels_gets_the_graphics_device_that_runs_them", async () => {
  const { run, wasm, close } = await openPage(withGpu);
  const { facts, refused } = await run(`
    const kernels = { reduce: "serial" };
    const facts = [];
    for (const settings of [{ kernels }, { kernels, device: "auto" }]) {
      const engine = await SemCoT.load("models/mini/", settings);
      facts.push([engine.info.device.kind, engine.info.device.reason, engine.info.kernels.name]);
      await engine.dispose();
    }
    return { facts, refused: await caught(SemCoT.load("models/mini/", { kernels, device: "cpu" })) };`);
  assert.deepEqual(facts, [["gpu", "asked", "serial"], ["gpu", "asked", "serial"]]);
  assert.equal(refused.code, "bad-input");
  assert.match(refused.message, /kernels .* device is "cpu"/);
  assert.deepEqual([...new Set(wasm)], ["semcot_bg.wasm"]);
  await close();
});

test("a_device_that_there_is_not_is_refused", async () => {
  const { run, close } = await openPage(without);
  const [unknown, gpu, kernels] = await run(`return [
    await caught(SemCoT.load("models/mini/", { device: "tpu" })),
    await caught(SemCoT.load("models/mini/", { device: "gpu" })),
    await caught(SemCoT.load("models/mini/", { kernels: { reduce: "serial" } })),
  ];`);
  assert.deepEqual([unknown.code, gpu.code, kernels.code], ["bad-input", "no-webgpu", "no-webgpu"]);
  assert.match(unknown.message, /"tpu"/);
  await close();
});
