// Models of one's own in the page: by address, from a repository, from files; and those that are kept.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { ROOT } from "../../scripts/commands.mjs";
import { ask, readLane, serious, startHarness, trouble, untilReady } from "./harness.mjs";
import { startHub } from "./hub-server.mjs";
import { beforeTheWorker } from "./load-page.mjs";
import { startModelServer } from "./model-server.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
/** @type {Awaited<ReturnType<typeof startHub>>} */ let hub;
/** @type {Awaited<ReturnType<typeof startModelServer>>} */ let server;
before(async () => {
  harness = await startHarness();
  [hub, server] = await Promise.all([startHub(), startModelServer()]);
});
after(async () => {
  await harness.stop();
  await hub.stop();
  await server.stop();
});
beforeEach(() => {
  server.reset();
  hub.requests.length = 0;
});

const file = (/** @type {string} */ name) => join(ROOT, "models", "mini", name);

/**
 * A page with the shipped pair loaded, whose hub is the local one.
 * @param {import("./harness.mjs").OpenOptions} [options]
 */
async function open(options) {
  const opened = await harness.open(options);
  await untilReady(opened.page);
  await opened.page.evaluate((url) => void (/** @type {HTMLElement} */ (document.querySelector("#main")).dataset.hub = url), hub.url);
  const name = async (/** @type {string} */ typed) => {
    await opened.page.fill("#own-address", typed);
    await opened.page.click("#own-load");
  };
  return { ...opened, name };
}

/**
 * Lets a single model go on with a text.
 * @param {import("playwright-core").Page} page
 */
async function goOn(page) {
  await page.locator("#single:visible").waitFor({ timeout: 60_000 });
  assert.equal(await page.textContent("#ask-button"), "Go on");
  assert.equal(await page.isVisible(".lanes"), false);
  await page.fill("#question", "Question: Tom has 5 apples.");
  await page.fill("#single-tokens", "12");
  await page.click("#ask-button");
  await page.waitForFunction(() => /^\d+ tokens in /.test(document.querySelector("#single-note")?.textContent ?? ""));
  return (await page.textContent("#single-text")) ?? "";
}

test("a_repository_is_asked_only_after_a_yes_and_a_model_of_it_goes_on_with_a_text", async () => {
  const { page, name, consoleErrors, close } = await open();
  await name("someone/two-models");
  await page.locator("#own-repository:visible").waitFor();
  assert.match((await page.textContent("#own-repository-text")) ?? "", /127\.0\.0\.1:\d+ is another server\. May this page ask it for the files of someone\/two-models\?/);
  assert.deepEqual(hub.requests, []);
  await page.click("#own-refuse");
  assert.equal(await page.isVisible("#own-repository"), false);
  assert.deepEqual(hub.requests, []);

  await page.click("#own-load");
  await page.click("#own-consent");
  await page.locator("#own-choice:visible").waitFor();
  assert.deepEqual(await page.locator("#own-choice option").allTextContents(), ["target.gguf", "generator.gguf"]);
  assert.deepEqual(await serious(page), []);
  await page.click("#own-load-choice");
  assert.ok((await goOn(page)).length > 5);
  assert.deepEqual(await serious(page), []);
  assert.match(new URL(page.url()).searchParams.get("model") ?? "", /\/someone\/two-models\/resolve\/main\/target\.gguf$/);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("the_larger_pair_is_a_button_away_and_draws_everyday_problems", async () => {
  const { page, consoleErrors, close } = await open();
  await page.click("#own-larger");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("model") === "models/base/");
  await untilReady(page);
  const families = await page.locator("#family option").evaluateAll((options) => options.map((option) => /** @type {HTMLOptionElement} */ (option).value));
  assert.deepEqual(families, ["arithmetic", "everyday", "coin"]);
  await page.selectOption("#family", "everyday");
  const before = await page.inputValue("#question");
  await page.click("#new-problem");
  await page.waitForFunction((before) => /** @type {HTMLTextAreaElement} */ (document.querySelector("#question")).value !== before, before);
  await page.fill("#question", "There are 7 boxes of pencils. Each box holds 6 pencils. How many pencils are there?");
  await ask(page);
  assert.equal((await readLane(page, "explicit")).answer, "42");
  // It was trained with more implicit tokens than the slider has elsewhere.
  await page.locator("#look > summary").click();
  await page.locator("#look-tried li:nth-child(12)[data-current=true]").waitFor();
  assert.equal(await page.inputValue("#look-k"), "12");
  assert.equal(await page.textContent("#look-k-note"), "as the pair was trained");
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_repository_with_a_pair_is_loaded_as_one_and_again_after_a_reload", async () => {
  const { page, name, close } = await open();
  await name(`${hub.url}/someone/a-pair`);
  await page.click("#own-consent");
  await page.waitForFunction(() => location.search.includes("model="));
  await untilReady(page);
  await ask(page);
  assert.equal((await readLane(page, "implicit")).answer, "9");
  await page.reload();
  await untilReady(page);
  await ask(page);
  assert.equal((await readLane(page, "implicit")).answer, "9");
  assert.equal(await page.isVisible("#single"), false);
  await close();
});

test("repositories_that_are_not_there_or_have_no_model_are_refused_and_the_page_goes_on", async () => {
  const { page, name, close } = await open();
  await name("someone/nothing");
  await page.click("#own-consent");
  const missing = await trouble(page);
  assert.equal(missing.code, "network");
  assert.match(missing.text, /nothing could not be fetched from .*: the server says 401/);
  await name("someone/no-models");
  await page.click("#own-consent");
  await page.locator("#trouble[data-code=unsupported-model]").waitFor();
  assert.match((await trouble(page)).text, /someone\/no-models has neither a semcot\.json nor a GGUF file/);
  await page.click("text=Apples");
  await ask(page);
  assert.equal((await readLane(page, "implicit")).answer, "9", "the pair is still there");
  await close();
});

test("files_of_a_pair_and_a_single_file_are_chosen_and_a_file_that_is_no_model_is_refused", async () => {
  const { page, consoleErrors, close } = await open();
  await page.setInputFiles("#own-files", ["semcot.json", "generator.gguf", "target.gguf"].map(file));
  await page.locator("#ask-button:disabled").waitFor();
  await untilReady(page);
  await ask(page);
  assert.equal((await readLane(page, "explicit")).answer, "9");

  await page.setInputFiles("#own-files", file("target.gguf"));
  const text = await goOn(page);
  assert.ok(text.length > 5, text);

  await page.setInputFiles("#own-files", [file("semcot.json"), file("target.gguf")]);
  const refused = await trouble(page);
  assert.match(refused.text, /This is no model that can be loaded/);
  assert.match(refused.text, /generator\.gguf, which semcot\.json names, is not among the files given/);
  await page.click("#trouble-reload");
  await untilReady(page);
  await ask(page, "Five and four?");
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_file_dropped_on_the_panel_is_loaded", async () => {
  const { page, close } = await open();
  const bytes = readFileSync(file("target.gguf")).toString("base64");
  await page.evaluate((encoded) => {
    const transfer = new DataTransfer();
    const content = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    transfer.items.add(new File([content], "dropped.gguf"));
    document.querySelector("#own")?.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, bytes);
  assert.ok((await goOn(page)).length > 5);
  assert.match((await page.textContent("#facts")) ?? "", /dropped\.gguf/);
  await close();
});

test("a_model_too_large_for_the_adapter_is_refused_before_it_is_fetched", async () => {
  const small = `Object.defineProperty(GPUSupportedLimits.prototype, "maxStorageBufferBindingSize", { get: () => 65536 });`;
  const { page, close } = await harness.open({ query: `?model=${server.url}target.gguf`, prepare: (page) => beforeTheWorker(page, small) });
  const { code, text } = await trouble(page);
  assert.equal(code, "limit-too-low");
  assert.match(text, /target\.gguf cannot run on this adapter: .+ needs \d+ bytes in one piece/);
  for (const { range } of server.requests) assert.match(range ?? "", /^bytes=0-/, "only the header");
  await close();
});

test("a_loading_can_be_stopped_and_another_one_takes_its_place", async () => {
  const { page, name, close } = await open();
  server.behavior.pauseMs = 300;
  await name(server.url);
  await page.waitForFunction(() => /Fetching/.test(document.querySelector("#loading-text")?.textContent ?? ""));
  await page.click("#own-stop");
  assert.match((await trouble(page)).text, /Stopped/);
  server.behavior.pauseMs = 0;
  await page.click("#trouble-reload");
  await untilReady(page);
  await ask(page);
  assert.equal((await readLane(page, "implicit")).answer, "9");
  await close();
});

test("kept_models_are_listed_with_their_sizes_and_removed_one_by_one_or_all", async () => {
  const { page, name, close } = await open();
  await page.click("[data-text=keptTitle]");
  const rows = page.locator("#kept-rows tr");
  await rows.first().waitFor();
  assert.match((await rows.first().textContent()) ?? "", /^models\/mini\/.*993\.6 kB|^models\/mini\/994 kB.*all of it/);
  assert.match((await page.textContent("#kept-estimate")) ?? "", /994 kB of models; this site may keep up to .* GB\./);
  await name(`${server.url}target.gguf`);
  await page.waitForFunction(() => document.querySelectorAll("#kept-rows tr").length === 2);
  assert.match((await rows.first().textContent()) ?? "", /target\.gguf/, "the last used first");
  assert.deepEqual(await serious(page), []);
  await rows.first().locator("button").click();
  await page.waitForFunction(() => document.querySelectorAll("#kept-rows tr").length === 1);
  const kept = await page.evaluate(`import("/www/semcot.js").then(({ SemCoT }) => SemCoT.cache.list())`);
  assert.deepEqual(/** @type {any[]} */ (kept).map((it) => new URL(it.url).pathname), ["/models/mini/"]);
  await page.click("#kept-persist");
  await page.waitForFunction(() => /keeps them until|would not promise/.test(document.querySelector("#kept-estimate")?.textContent ?? ""));
  await page.click("#kept-clear");
  await page.locator("#kept-table").waitFor({ state: "hidden" });
  await close();
});
