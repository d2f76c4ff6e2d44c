// The main paths in headless Firefox, on whatever Vulkan the machine has: load, ask in three ways, look at
// the page, a batch, the element, an engine that outlives its device, and the built site without its server.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launchFirefox } from "../../scripts/browsers.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { buildSite } from "../../scripts/site.mjs";
import { isKept } from "./harness.mjs";
import { OBEY } from "./load-page.mjs";
import { startPlainServer } from "./plain-server.mjs";

const READY = "#ask-button:not(:disabled)";
const PATIENCE = { timeout: 90_000 };
/** @type {import("puppeteer-core").Browser} */ let browser;
/** @type {Awaited<ReturnType<typeof startServer>>} */ let server;
before(async () => {
  [browser, server] = await Promise.all([launchFirefox(), startServer({ port: 0 })]);
});
after(async () => {
  await browser.close();
  await server.close();
});

/** @param {string} url */
async function open(url) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.setViewport({ width: 1366, height: 768 });
  await page.goto(url);
  await page.waitForSelector(READY, PATIENCE);
  return { page, errors };
}

/** @param {import("puppeteer-core").Page} page */
async function ask(page) {
  await page.click("#ask-button");
  await page.waitForSelector("#headline-text.result", PATIENCE);
  return page.evaluate(() => Object.fromEntries([...document.querySelectorAll(".lane")].map((lane) => {
    const text = (/** @type {string} */ selector) => lane.querySelector(selector)?.textContent?.trim() ?? "";
    return [lane.id.replace("lane-", ""), { answer: text(".answer-value"), verdict: text(".verdict"), reasoning: text(".stream"), vectors: lane.querySelectorAll(".cell.arrived").length }];
  })));
}

test("firefox_answers_in_three_ways_and_right_where_there_is_reasoning", async () => {
  const { page, errors } = await open(server.url);
  const { implicit, explicit, direct } = await ask(page);
  assert.equal(implicit.verdict, "✓ right");
  assert.equal(implicit.vectors, 4);
  assert.equal(explicit.verdict, "✓ right");
  assert.match(explicit.reasoning, /12 - 5 = 7[\s\S]*7 \+ 2 = 9/);
  assert.match(direct.answer, /^\d+$/);
  assert.match((await page.$eval("#headline-text", (it) => it.textContent)) ?? "", /sooner, and both are right\.$/);
  assert.equal(page.workers().length, 1, "the engine runs in a worker");
  assert.deepEqual(errors, []);
  await page.close();
});

// No other browser that runs here has shader-f16.
test("firefox_answers_by_kernels_with_f16_of_the_device_and_products_of_bytes", async () => {
  const page = await browser.newPage();
  await page.goto(`${server.url}www/strings/en.js`);
  const { kernels, answer } = await page.evaluate(async () => {
    const path = "/www/semcot.js";
    const { SemCoT } = await import(path);
    const kernels = { reduce: "workgroup", nativeF16: true, dot4: true };
    const engine = await SemCoT.load("/models/mini/", { device: "gpu", kernels });
    const { answer } = await engine.ask("Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?");
    const used = engine.info.kernels.name;
    await engine.dispose();
    return { kernels: used, answer };
  });
  assert.equal(kernels, "workgroup + shader-f16 + dot4I8Packed");
  assert.equal(answer, "9");
  await page.close();
});

test("firefox_shows_all_lanes_side_by_side_without_anything_cut_off", async () => {
  const { page } = await open(server.url);
  await ask(page);
  const { tops, wide } = await page.evaluate(() => ({
    tops: [...document.querySelectorAll(".lane")].map((lane) => Math.round(lane.getBoundingClientRect().top)),
    wide: document.documentElement.scrollWidth - innerWidth,
  }));
  assert.equal(tops.length, 3);
  assert.equal(new Set(tops).size, 1, `${tops}`);
  assert.ok(wide <= 0, `${wide} pixels too wide`);
  // They grow to their lengths.
  await page.waitForFunction(() => {
    const lengths = [...document.querySelectorAll("#timing .track")].map((track) => [...track.children].reduce((sum, bar) => sum + bar.getBoundingClientRect().width, 0));
    return lengths.length === 3 && lengths.every((length) => length > 1) && lengths[1] > lengths[0];
  }, PATIENCE);
  await page.close();
});

test("firefox_runs_the_element_from_a_click_to_its_answers_and_stops_it", async () => {
  const page = await browser.newPage();
  await page.goto(`${server.url}docs/`);
  const run = await page.waitForSelector("semcot-demo >>> #run", PATIENCE);
  const told = page.evaluate(() => new Promise((resolve) => {
    const demo = /** @type {Element} */ (document.querySelector("semcot-demo"));
    const tokens = /** @type {string[]} */ ([]);
    demo.addEventListener("token", (event) => tokens.push(/** @type {CustomEvent} */ (event).detail.mode));
    demo.addEventListener("error", (event) => resolve({ error: String(/** @type {CustomEvent} */ (event).detail) }));
    demo.addEventListener("done", (event) => resolve({ tokens, answers: /** @type {CustomEvent} */ (event).detail.answers }));
  }));
  await run?.click();
  const { error, tokens, answers } = /** @type {any} */ (await told);
  assert.equal(error, undefined);
  assert.deepEqual([answers.implicit.answer, answers.explicit.answer], ["9", "9"]);
  assert.ok(tokens.includes("implicit") && tokens.includes("explicit"), `${tokens}`);
  const status = await page.evaluate(async () => {
    const demo = /** @type {any} */ (document.querySelector("semcot-demo"));
    const running = demo.run();
    demo.stop();
    const answers = await running;
    return [answers, demo.shadowRoot.querySelector(".status").textContent];
  });
  assert.deepEqual(status, [null, "Stopped."]);
  await page.close();
});

test("firefox_goes_on_after_an_abort_a_destroyed_device_and_an_ended_worker", async () => {
  const page = await browser.newPage();
  await page.goto(`${server.url}www/strings/en.js`);
  const { aborted, codes, same, disposed } = await page.evaluate(async (obey) => {
    const path = "/www/semcot.js";
    const { SemCoT } = await import(path);
    const script = `import "${location.origin}/www/worker.js";\n${obey}`;
    const workerUrl = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const told = new BroadcastChannel("test");
    const caught = (/** @type {Promise<unknown>} */ promise) => promise.then(() => null, (error) => error);
    const engine = await SemCoT.load("/models/mini/target.gguf", { workerUrl, kernels: { reduce: "serial" } });
    const text = async () => (await engine.generate("Tom has 5 apples.")).text;
    const long = (/** @type {object} */ options = {}) => engine.generate("Tom has 5 apples.", { maxTokens: 200, ignoreEnd: true, tokensPerSubmit: 1, ...options });
    const first = await text();
    const same = [];
    const stop = new AbortController();
    const stopped = long({ signal: stop.signal });
    for await (const piece of stopped) if (piece) break;
    stop.abort();
    const aborted = (await caught(stopped)).name;
    same.push((await text()) === first);
    const codes = [];
    for (const word of ["destroy", "end"]) {
      const running = long();
      for await (const piece of running) if (piece) break;
      told.postMessage(word);
      codes.push((await caught(running))?.code);
      same.push((await text()) === first);
    }
    const waiting = long();
    await engine.dispose();
    return { aborted, codes, same, disposed: (await caught(waiting)).code };
  }, OBEY);
  assert.equal(aborted, "AbortError");
  assert.deepEqual(codes, ["device-lost", "device-lost"]);
  assert.deepEqual(same, [true, true, true], "the run after each");
  assert.equal(disposed, "aborted");
  await page.close();
});

test("firefox_runs_a_batch_of_five", async () => {
  const { page, errors } = await open(server.url);
  await page.$eval("#batch-count", (it) => void (/** @type {HTMLInputElement} */ (it).value = "5"));
  await page.click("#batch-start");
  await page.waitForSelector("#batch-result:not([hidden])", PATIENCE);
  await page.waitForSelector("#batch-start:not(:disabled)", PATIENCE);
  const rows = await page.$$eval("#batch-rows tr", (all) => all.map((row) => row.querySelector("[data-cell=right]")?.textContent ?? ""));
  assert.equal(rows.length, 3);
  for (const right of rows) assert.match(right, /5/);
  assert.deepEqual(errors, []);
  await page.close();
});

test("firefox_answers_from_the_built_site_and_then_without_its_server", async () => {
  const folder = mkdtempSync(join(tmpdir(), "semcot-firefox-"));
  buildSite({ into: folder });
  const site = await startPlainServer(folder);
  const { page, errors } = await open(site.url);
  assert.equal((await ask(page)).implicit.verdict, "✓ right");
  await page.waitForFunction(isKept, PATIENCE);
  await site.stop();
  await page.reload();
  await page.waitForSelector(READY, PATIENCE);
  assert.equal((await ask(page)).explicit.verdict, "✓ right");
  assert.deepEqual(errors, []);
  await page.close();
  rmSync(folder, { recursive: true });
});
