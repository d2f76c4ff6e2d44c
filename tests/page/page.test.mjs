// The page with the real engine and the shipped pair, in headless Chromium on its software adapter.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, readLane, startHarness, trouble, untilReady } from "./harness.mjs";
import { beforeTheWorker } from "./load-page.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

test("a_real_question_is_answered_in_every_lane", async () => {
  const { page, consoleErrors, close } = await harness.open();
  await untilReady(page);
  await ask(page);
  const [implicit, explicit, direct] = await Promise.all([
    readLane(page, "implicit"), readLane(page, "explicit"), readLane(page, "direct"),
  ]);
  assert.equal(implicit.answer, "9");
  assert.equal(implicit.verdict, "✓ right");
  assert.equal(explicit.answer, "9");
  assert.match(explicit.reasoning, /12 - 5 = 7/);
  assert.match(explicit.reasoning, /7 \+ 2 = 9/);
  assert.notEqual(direct.answer, "–");
  assert.ok(implicit.vectors > 0);
  assert.equal(implicit.generatorPasses, 1);
  assert.equal(explicit.generatorPasses, 0);
  assert.ok(explicit.tokens > implicit.tokens);
  assert.equal(explicit.tokens, explicit.targetPasses);
  assert.match((await page.textContent("#headline-text")) ?? "", /sooner, and both are right\.$/);
  assert.match((await page.textContent("#facts")) ?? "", /swiftshader/);
  assert.equal(page.workers().length, 1, "the engine runs in a worker");
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_new_problem_comes_with_its_answer", async () => {
  const { page, close } = await harness.open();
  await untilReady(page);
  const before = await page.inputValue("#question");
  await page.click("#new-problem");
  await page.waitForFunction((old) => /** @type {any} */ (document.querySelector("#question")).value !== old, before);
  assert.match((await page.textContent("#truth")) ?? "", /^The answer is known: (\d+|yes|no)$/);
  await ask(page);
  assert.match((await readLane(page, "explicit")).verdict, /^(✓ right|✗ it is .+)$/);
  await close();
});

test("repeating_shows_medians_and_spreads_of_every_lane_and_where_the_time_went", async () => {
  const { page, close } = await harness.open();
  await untilReady(page);
  await page.selectOption("#repeat-count", "3");
  await page.click("#repeat-button");
  await page.locator("#timing[data-measured=true]").waitFor({ timeout: 120_000 });
  const time = String.raw`[\d.]+ m?s`;
  for (const mode of ["implicit", "explicit", "direct"]) {
    const cell = async (/** @type {string} */ name) => (await page.textContent(`#timing tr[data-mode=${mode}] [data-cell=${name}]`)) ?? "";
    assert.match(await cell("median"), new RegExp(`^${time}$`));
    assert.match(await cell("range"), new RegExp(`^${time} – ${time}$`));
    assert.match(await cell("phases"), new RegExp(`^generator ${time}, reading ${time}, writing ${time}, handing over and waiting ${time}$`));
  }
  assert.match((await page.textContent("#headline-note")) ?? "", /^Median of 3 runs each/);
  assert.match((await page.textContent("#timing-note")) ?? "", /^3 rounds in turns after an uncounted one, K = \d+ in every lane/);
  await close();
});

test("a_model_that_is_not_there_is_said_with_its_address", async () => {
  const { page, close } = await harness.open({ query: "?model=models/nowhere/" });
  const { code, text } = await trouble(page);
  assert.equal(code, "network");
  assert.match(text, /semcot\.json could not be fetched from .*models\/nowhere\/semcot\.json: the server says 404/);
  assert.equal(await page.isVisible("#trouble-reload"), true);
  await close();
});

test("a_damaged_model_file_is_refused", async () => {
  const { page, close } = await harness.open({
    prepare: (page) =>
      page.route("**/target.gguf", async (route) => {
        const response = await route.fetch();
        const body = await response.body();
        // Not in the header, which is read by itself first.
        if (!route.request().headers().range?.startsWith("bytes=0-")) body[body.length >> 1] ^= 1;
        await route.fulfill({ response, body });
      }),
  });
  const { code, text } = await trouble(page);
  assert.equal(code, "integrity");
  assert.match(text, /target\.gguf is damaged/);
  await close();
});

test("a_shortened_model_file_is_refused", async () => {
  const { page, close } = await harness.open({
    prepare: (page) =>
      page.route("**/generator.gguf", async (route) => {
        const body = await (await route.fetch()).body();
        await route.fulfill({ body: body.subarray(0, body.length - 1) });
      }),
  });
  const { code, text } = await trouble(page);
  assert.equal(code, "integrity");
  assert.match(text, /generator\.gguf should have \d+ bytes and has \d+/);
  await close();
});

test("a_missing_engine_is_said_with_what_to_do", async () => {
  const { page, close } = await harness.open({
    prepare: (page) => page.route("**/www/pkg/**", (route) => route.fulfill({ status: 404, body: "" })),
  });
  const { code, text } = await trouble(page);
  assert.equal(code, "network");
  assert.match(text, /npm run build/);
  await close();
});

test("a_question_longer_than_the_context_is_refused_and_the_next_one_answered", async () => {
  const { page, close } = await harness.open();
  await untilReady(page);
  await page.fill("#question", "Maria has 12 apples. ".repeat(2000));
  await page.click("#ask-button");
  const { code, text } = await trouble(page);
  assert.equal(code, "bad-input");
  assert.match(text, /the question is too long: it takes \d+ tokens .* context holds \d+/);
  assert.equal(await page.isVisible("#trouble-reload"), false, "nothing is broken");
  await page.click("text=Apples");
  await ask(page);
  assert.equal(await page.isVisible("#trouble"), false);
  await close();
});

test("a_device_lost_between_questions_is_not_even_noticed", async () => {
  const { page, close } = await harness.open({
    prepare: (page) => beforeTheWorker(page, `
      const request = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...args) {
        return (globalThis.lastDevice = await request.apply(this, args));
      };`),
  });
  await untilReady(page);
  const ended = page.waitForEvent("worker");
  await page.workers()[0].evaluate("lastDevice.destroy()");
  await ask(page);
  await ended;
  assert.equal(await page.isVisible("#trouble"), false);
  assert.notEqual((await readLane(page, "implicit")).answer, "–");
  await close();
});

test("an_adapter_too_small_for_the_model_is_refused", async () => {
  const { page, close } = await harness.open({
    prepare: (page) => beforeTheWorker(page, `
      Object.defineProperty(GPUSupportedLimits.prototype, "maxStorageBufferBindingSize", { get: () => 4096 });`),
  });
  const { code, text } = await trouble(page);
  assert.equal(code, "limit-too-low");
  assert.match(text, /4096/);
  await close();
});

test("without_the_webgpu_that_was_asked_for_the_page_says_what_to_do", async () => {
  const without = await startHarness({ webGpu: false });
  const { page, close } = await without.open();
  const { code, text } = await trouble(page);
  assert.equal(code, "no-webgpu");
  assert.match(text, /Use a current Chrome, Edge, Safari or Firefox/);
  await close();
  await without.stop();
});

test("where_files_cannot_be_kept_the_page_says_why", async () => {
  const full = `FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException("full", "QuotaExceededError"); };`;
  const { page, close } = await harness.open({ prepare: (page) => beforeTheWorker(page, full) });
  await untilReady(page);
  assert.match((await page.textContent("#facts")) ?? "", /Files for the next visit\s*not kept: the browser gives no more room/);
  await close();
});
