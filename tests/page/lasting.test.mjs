// What the engine promises whatever happens: aborts, lost devices, ended workers, disposal, and other
// engines beside it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startHarness } from "./harness.mjs";
import { OBEY, beforeTheWorker } from "./load-page.mjs";
import { startModelServer } from "./model-server.mjs";

const QUESTION = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";
/** Long enough for anything to happen while it runs: as many passes as the context takes. */
const LONG = `{ maxTokens: 200, ignoreEnd: true, tokensPerSubmit: 1 }`;

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
/** @type {Awaited<ReturnType<typeof startModelServer>>} */ let server;
before(async () => {
  server = await startModelServer();
  harness = await startHarness();
});
after(async () => {
  await harness.stop();
  await server.stop();
});

/** A page in which scripts can be run with `SemCoT` and a few helpers at hand. */
async function openPage() {
  server.reset();
  const opened = await harness.open({ query: "MODEL_CARD.md", prepare: (page) => beforeTheWorker(page, OBEY) });
  return {
    ...opened,
    /** @param {string} body of an async function @returns {Promise<any>} */
    run: (body) =>
      opened.page.evaluate(`(async () => {
        const { SemCoT, SemCoTError } = await import("/www/semcot.js");
        const QUESTION = ${JSON.stringify(QUESTION)};
        const told = new BroadcastChannel("test");
        const caught = async (promise) => promise.then(() => null, ({ name, code, message }) => ({ name, code, message }));
        /** Tells the worker something as soon as a run has begun. */
        const amid = async (run, word) => { for await (const piece of run) { told.postMessage(word); break; } };
        ${body}
      })()`),
  };
}

for (const [word, what] of [["destroy", "device destroyed"], ["end", "worker killed"]]) {
  test(`a_${what.replace(" ", "_")}_amid_a_run_fails_it_and_the_runs_behind_it_work`, async () => {
    const { run, consoleErrors, close } = await openPage();
    const { error, behind, after, phases, count } = await run(`
      const phases = [];
      const model = "${server.url}target.gguf";
      const single = await SemCoT.load(model, { device: "gpu", onProgress: ({ phase, cached }) => phases.push([phase, cached]) });
      const before = await single.generate("Tom has 5 apples.");
      const first = phases.length;
      const running = single.generate("Tom has 5 apples.", ${LONG});
      const behind = single.generate("Tom has 5 apples.");
      await amid(running, "${word}");
      const error = await caught(running);
      const found = { error, behind: (await behind).text === before.text, after: (await single.generate("Tom has 5 apples.")).text === before.text };
      await single.dispose();
      return { ...found, phases: phases.slice(first), count: before.ids.length };`);
    assert.equal(error?.code, "device-lost", error?.message);
    assert.equal(error.name, "SemCoTError");
    assert.match(error.message, /Ask again: the engine starts anew by itself\.$|try again$/);
    assert.ok(count > 0);
    assert.equal(behind, true, "the run behind it");
    assert.equal(after, true, "the run after it");
    assert.equal(phases.at(-1)[0], "ready");
    assert.ok(phases.every((/** @type {any} */ [phase, cached]) => phase !== "download" && cached), "it came from the cache");
    assert.deepEqual(consoleErrors.filter((it) => !it.includes("404")), []);
    await close();
  });

  test(`a_${what.replace(" ", "_")}_between_runs_is_not_noticed_with_the_server_gone`, async () => {
    const { run, page, close } = await openPage();
    const before = await run(`
      globalThis.pair = await SemCoT.load("${server.url}", { device: "gpu" });
      globalThis.single = await SemCoT.load("${server.url}target.gguf", { device: "gpu" });
      return [(await pair.ask(QUESTION)).tokenIds, (await single.generate("Tom has 5 apples.")).ids];`);
    server.behavior.gone = true;
    // The page sees a worker go when it closes it, or when it was ended.
    const gone = Promise.all(page.workers().map((worker) => new Promise((resolve) => worker.once("close", resolve))));
    await run(`told.postMessage("${word}");`);
    await gone;
    const after = await run(`
      const ids = [(await pair.ask(QUESTION)).tokenIds, (await single.generate("Tom has 5 apples.")).ids];
      await pair.dispose();
      await single.dispose();
      return ids;`);
    assert.deepEqual(after, before);
    await close();
  });
}

test("an_engine_that_cannot_come_back_says_why_and_comes_back_later", async () => {
  const { run, page, close } = await openPage();
  await run(`globalThis.pair = await SemCoT.load("${server.url}", { device: "gpu" });`);
  const gone = new Promise((resolve) => page.workers()[0].once("close", resolve));
  await run(`await SemCoT.cache.clear(); told.postMessage("destroy");`);
  await gone;
  server.behavior.refused = true;
  const error = await run(`return caught(pair.ask(QUESTION));`);
  assert.equal(error.code, "network", error.message);
  server.behavior.refused = false;
  assert.equal((await run(`return pair.ask(QUESTION);`)).answer, "9");
  await close();
});

test("a_hundred_aborts_at_random_moments_settle_with_abort_error_and_the_engine_answers_right_after", async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
  console.log(`seed ${seed} (SEED=${seed} repeats it)`);
  const { run, close } = await openPage();
  const { outcomes, wrong, last } = await run(`
    let state = ${seed};
    const random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
    const engine = await SemCoT.load("models/mini/", { device: "gpu" });
    const modes = ["implicit", "explicit", "direct"];
    const right = {};
    for (const mode of modes) right[mode] = (await engine.ask(QUESTION, { mode })).text;
    const outcomes = [];
    const wrong = [];
    for (let round = 0; round < 100; round++) {
      const controller = new AbortController();
      const { signal } = controller;
      const mode = modes[Math.floor(random() * 3)];
      const kind = Math.floor(random() * 3);
      const tokensPerSubmit = 1 + Math.floor(random() * 16);
      const begun = kind === 0
        ? engine.ask(QUESTION, { mode, tokensPerSubmit, signal })
        : kind === 1
          ? engine.compare(QUESTION, { repeats: 50, modes: [mode], signal })
          : engine.ask("Tom has 3 pears. ".repeat(9), { mode, signal, tokensPerSubmit: 1 });
      if (random() < 0.3) {
        // At a piece, rather than at a time.
        const until = Math.floor(random() * 6);
        (async () => { let seen = 0; for await (const piece of begun) if (seen++ === until) controller.abort(); })().catch(() => {});
      }
      setTimeout(() => controller.abort(), random() * 60);
      const error = await caught(begun);
      // A run that has ended before is none that was aborted.
      outcomes.push(error === null ? "ended" : signal.aborted ? error.name + " " + error.code : "without an abort: " + error.message);
      const next = modes[Math.floor(random() * 3)];
      if ((await engine.ask(QUESTION, { mode: next })).text !== right[next]) wrong.push(round);
    }
    const last = await engine.ask(QUESTION);
    await engine.dispose();
    return { outcomes, wrong, last };`);
  const aborted = outcomes.filter((/** @type {string} */ outcome) => outcome === "AbortError aborted").length;
  const ended = outcomes.filter((/** @type {string} */ outcome) => outcome === "ended").length;
  assert.equal(aborted + ended, 100, outcomes.join("\n"));
  assert.ok(aborted >= 50, `only ${aborted} of 100 were aborted: the others had ended`);
  assert.deepEqual(wrong, [], "rounds after which the engine answered otherwise");
  assert.equal(last.answer, "9");
  await close();
});

test("two_models_side_by_side_give_their_own_answers_in_the_order_asked", async () => {
  const { run, close } = await openPage();
  const { alone, together, order } = await run(`
    const pair = await SemCoT.load("models/mini/", { device: "gpu" });
    const single = await SemCoT.load("models/mini/target.gguf", { device: "gpu" });
    const questions = [QUESTION, "Tom has 7 marbles. He loses 2. How many marbles does Tom have now?", "Ann has 9 pens. She buys 6 more pens. How many pens does Ann have now?"];
    const options = { maxTokens: 24, ignoreEnd: true };
    const alone = [];
    for (const question of questions) alone.push((await pair.ask(question)).tokenIds, (await single.generate(question, options)).ids);
    const order = { pair: [], single: [] };
    const runs = questions.flatMap((question, index) => {
      const asked = pair.ask(question);
      const continued = single.generate(question, options);
      asked.then(() => order.pair.push(index));
      continued.then(() => order.single.push(index));
      return [asked.then((it) => it.tokenIds), continued.then((it) => it.ids)];
    });
    const together = await Promise.all(runs);
    await pair.dispose();
    await single.dispose();
    return { alone, together, order };`);
  assert.deepEqual(together, alone);
  assert.notDeepEqual(alone[0], alone[1]);
  assert.deepEqual(order, { pair: [0, 1, 2], single: [0, 1, 2] });
  await close();
});

test("a_disposed_engine_ends_what_runs_and_waits_and_leaves_no_worker", async () => {
  const { run, page, close } = await openPage();
  /** @type {Promise<unknown>[]} */
  const closed = [];
  page.on("worker", (worker) => closed.push(new Promise((resolve) => worker.once("close", resolve))));
  const { errors, other } = await run(`
    const single = await SemCoT.load("models/mini/target.gguf", { device: "gpu" });
    const other = await SemCoT.load("models/mini/", { device: "gpu" });
    const running = single.generate("Tom has 5 apples.", ${LONG});
    const waiting = single.generate("Tom has 5 apples.");
    for await (const part of running) break;
    await single.dispose();
    const errors = [await caught(running), await caught(waiting), await caught(single.generate("Tom"))];
    await single.dispose();
    const { answer } = await other.ask(QUESTION);
    await other[Symbol.asyncDispose]();
    errors.push(await caught(other.ask(QUESTION)));
    return { errors, other: answer };`);
  for (const error of errors) assert.deepEqual([error?.name, error?.code], ["AbortError", "aborted"]);
  assert.match(errors[2].message, /disposed of: load the model again/);
  assert.equal(other, "9", "another engine is not concerned");
  assert.equal(closed.length, 2);
  await Promise.all(closed);
  await close();
});

test("the_engine_runs_in_a_worker_elsewhere_or_in_the_page_as_told", async () => {
  const { run, page, close } = await openPage();
  const elsewhere = harness.url.replace("127.0.0.1", "localhost");
  const answer = async (/** @type {string} */ options) => run(`
    const engine = await SemCoT.load("models/mini/", { device: "gpu", ...${options} });
    globalThis.loaded = engine;
    return (await engine.ask(QUESTION)).answer;`);
  const workers = async () => {
    const count = page.workers().length;
    await run(`await loaded.dispose();`);
    return count;
  };
  assert.equal(await answer("{ worker: false }"), "9");
  assert.equal(await workers(), 0);
  assert.equal(await answer(`{ workerUrl: "/www/worker.js", wasmUrl: new URL("/www/pkg/semcot_bg.wasm", location.href) }`), "9");
  assert.equal(await workers(), 1);
  // Scripts of another origin, as from a content delivery network.
  await page.route(`${elsewhere}**`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "Access-Control-Allow-Origin": "*" } });
  });
  assert.equal(await answer(`{ workerUrl: "${elsewhere}www/worker.js" }`), "9");
  assert.equal(await workers(), 1);

  const errors = await run(`return [
    await caught(SemCoT.load("models/mini/", { device: "gpu", workerUrl: "/www/nowhere.js" })),
    await caught(SemCoT.load("models/mini/", { device: "gpu", wasmUrl: "/www/nowhere.wasm" })),
    await caught(SemCoT.load("models/mini/", { device: "gpu", kv: () => {} })),
  ];`);
  assert.deepEqual(errors.map((/** @type {any} */ error) => error?.code), ["network", "network", "bad-input"]);
  assert.match(errors[0].message, /worker\.js/);
  assert.match(errors[1].message, /nowhere\.wasm/);
  await close();
});

test("support_is_told_with_what_is_missing", async () => {
  const { run, close } = await openPage();
  const support = await run(`return SemCoT.isSupported();`);
  assert.deepEqual([support.supported, support.devices, support.reasons], [true, ["gpu", "cpu"], []]);
  assert.equal(support.adapter.software, true);
  assert.ok(support.adapter.limits.maxBufferSize > 0);
  const withoutWasm = await run(`
    WebAssembly.compile = async () => { throw new WebAssembly.CompileError("blocked by Content Security Policy"); };
    return SemCoT.isSupported();`);
  assert.deepEqual([withoutWasm.supported, withoutWasm.reasons.length], [false, 1]);
  assert.match(withoutWasm.reasons[0].message, /wasm-unsafe-eval/);
  await close();

  const without = await startHarness({ webGpu: false });
  const opened = await without.open({ query: "MODEL_CARD.md" });
  const { supported, devices, reasons, adapter } = await opened.page.evaluate(`import("/www/semcot.js").then(({ SemCoT }) => SemCoT.isSupported())`);
  assert.deepEqual([supported, devices, adapter], [true, ["cpu"], null]);
  assert.equal(reasons[0].code, "no-webgpu");
  await opened.close();
  await without.stop();
});
