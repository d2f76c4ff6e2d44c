// What goes wrong around the page, and what visitors type: each ends in the right message, and in a page
// that works.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { ask, readLane, startHarness, trouble, untilReady } from "./harness.mjs";
import { beforeTheWorker } from "./load-page.mjs";
import { startModelServer } from "./model-server.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
/** @type {Awaited<ReturnType<typeof startModelServer>>} */ let server;
before(async () => {
  harness = await startHarness();
  server = await startModelServer();
});
after(async () => {
  await harness.stop();
  await server.stop();
});
beforeEach(() => server.reset());

/**
 * The page answers a question right.
 * @param {import("playwright-core").Page} page
 */
async function assertItWorks(page) {
  await untilReady(page);
  await page.click("text=Apples");
  await ask(page);
  assert.equal((await readLane(page, "implicit")).verdict, "✓ right");
  assert.equal(await page.isVisible("#trouble"), false);
}

test("a_server_that_dies_amid_a_download_is_said_and_when_it_is_back_the_download_goes_on", async () => {
  server.behavior.pauseMs = 60;
  const { page, close } = await harness.open({ query: `?model=${server.url}` });
  await page.waitForFunction(() => /Fetching the models: ([5-9]|1\d)\.\d MB/.test(document.querySelector("#loading-text")?.textContent ?? ""));
  server.behavior.refused = true;
  server.dropAll();
  const { code, text } = await trouble(page);
  assert.equal(code, "network");
  assert.match(text, /A file could not be fetched[\s\S]*target\.gguf could not be fetched from http/);

  server.reset();
  await page.click("#trouble-reload");
  await assertItWorks(page);
  const whole = server.requests.filter(({ path, range }) => path === "/target.gguf" && range !== "bytes=0-65535");
  assert.ok(whole.length < 4, `${whole.length} of 4 chunks were fetched again`);
  await close();
});

test("a_chunk_corrupted_on_its_way_is_said_and_a_good_one_takes_its_place", async () => {
  server.behavior.corrupt = true;
  const { page, close } = await harness.open({ query: `?model=${server.url}` });
  const { code, text } = await trouble(page);
  assert.equal(code, "integrity");
  assert.match(text, /target\.gguf is damaged/);
  server.reset();
  await page.click("#trouble-reload");
  await assertItWorks(page);
  await close();
});

test("without_room_for_a_model_the_page_says_so_and_a_smaller_one_works", async () => {
  // No disk, and none for large Blobs either, which browsers put there.
  const full = `{
    FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException("full", "QuotaExceededError"); };
    const { arrayBuffer } = Blob.prototype;
    Blob.prototype.arrayBuffer = function () {
      return this.size > 1e6 ? Promise.reject(new DOMException("gone", "NotReadableError")) : arrayBuffer.call(this);
    };
  }`;
  const { page, close } = await harness.open({ query: `?model=${server.url}`, prepare: (page) => beforeTheWorker(page, full) });
  const { code, text } = await trouble(page);
  assert.equal(code, "quota");
  assert.match(text, /The browser has no room for the model/);
  await page.fill("#own-address", "models/mini/");
  await page.click("#own-load");
  await assertItWorks(page);
  await close();
});

test("an_adapter_with_lower_limits_is_said_and_with_its_own_the_page_works", async () => {
  const low = `Object.defineProperty(GPUSupportedLimits.prototype, "maxStorageBufferBindingSize", { get: () => 4096 });`;
  const { page, close } = await harness.open({ prepare: (page) => beforeTheWorker(page, low) });
  const { code, text } = await trouble(page);
  assert.equal(code, "limit-too-low");
  assert.match(text, /4096/);
  await page.unroute("**/www/worker.js");
  await page.click("#trouble-reload");
  await assertItWorks(page);
  await close();
});

test("without_webgpu_the_page_says_how_to_turn_it_on_and_can_be_read", async () => {
  const { page, consoleErrors, close } = await harness.open({
    prepare: (page) => page.addInitScript("Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })").then(() =>
      beforeTheWorker(page, "Object.defineProperty(WorkerNavigator.prototype, 'gpu', { get: () => undefined });")),
  });
  const { code, text } = await trouble(page);
  assert.equal(code, "no-webgpu");
  assert.match(text, /chrome:\/\/flags\/#enable-unsafe-webgpu/);
  await page.click("text=Balloons");
  assert.match(await page.inputValue("#question"), /balloons/);
  await page.click("[data-language=ko]");
  assert.match(await page.innerText("#trouble"), /이 브라우저에서는/);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_tab_that_is_hidden_and_frozen_amid_an_answer_gives_it_when_it_is_back", async () => {
  const { page, close } = await harness.open();
  await untilReady(page);
  const browser = await page.context().newCDPSession(page);
  await page.click("#ask-button");
  await page.locator("#lane-explicit[data-status=running], #lane-explicit[data-status=done]").waitFor();
  await browser.send("Page.setWebLifecycleState", { state: "frozen" });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await browser.send("Page.setWebLifecycleState", { state: "active" });
  await page.locator("#headline-text.result").waitFor();
  assert.equal((await readLane(page, "explicit")).verdict, "✓ right");
  await assertItWorks(page);
  await close();
});

test("whatever_is_typed_is_answered_or_refused_and_the_next_question_works", async () => {
  const { page, consoleErrors, close } = await harness.open();
  await untilReady(page);
  const typed = {
    "control characters": "Maria\u0007 has\u0000 12\u001b[31m apples\u0085.\u2028 How many\u202e apples?",
    emoji: "👩‍👩‍👧‍👦 has 12 🍎. She gives 5 🍎 to 👨🏽‍🚀. How many 🍎 now? 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "right to left": "لدى مريم ١٢ تفاحة وأعطت ٥ لتوم. كم تفاحة لديها الآن؟ ומה עוד?",
    "half a character": "Maria has \ud83d apples. How many?",
    "markup": '<img src=x onerror="document.title = \'broken\'"> How many </textarea><b>apples</b>?',
  };
  for (const [what, question] of Object.entries(typed)) {
    await ask(page, question);
    for (const mode of /** @type {const} */ (["implicit", "explicit", "direct"])) {
      assert.ok((await readLane(page, mode)).tokens > 0, `${what}: ${mode}`);
    }
    const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= shown, `${what}: ${content} wide in ${shown}`);
  }
  assert.equal(await page.evaluate(() => document.querySelectorAll("main img").length), 0);
  for (const [letters, what] of [["W", "one word"], ["a ", "words"], ["🍎", "emoji"]]) {
    await page.fill("#question", letters.repeat(100_000 / letters.length));
    await page.click("#ask-button");
    const { code, text } = await trouble(page);
    assert.equal(code, "bad-input", what);
    assert.match(text, /the question is too long/);
    await assertItWorks(page);
  }
  assert.deepEqual(consoleErrors, []);
  await close();
});
