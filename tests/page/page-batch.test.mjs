// Measuring many questions: what is read, what is refused, what comes out, and what can be done meanwhile.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { MAX_QUESTIONS, QuestionsError, readQuestions } from "../../www/batch/questions.js";
import { quantile, wilson } from "../../www/batch/statistics.js";
import { startHarness, untilReady } from "./harness.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

/**
 * @param {import("playwright-core").Page} page
 * @param {string} name of the file saved by a button
 */
async function saved(page, name) {
  const download = page.waitForEvent("download");
  await page.click(`#batch-${name}`);
  return readFileSync(await (await download).path(), "utf8");
}

/** @param {import("playwright-core").Page} page */
async function untilDone(page) {
  await page.locator("#batch-start:enabled").waitFor();
}

test("wilsons_interval_has_the_published_values", () => {
  // Newcombe 1998, table I: 81 of 263 and 0 of 20, to the four digits printed there.
  const round = (/** @type {number} */ value) => Math.round(value * 1e4) / 1e4;
  assert.deepEqual([wilson(81, 263), wilson(0, 20)].map(({ low, high }) => [round(low), round(high)]), [[0.2553, 0.3662], [0, 0.1611]]);
});

test("quantiles_lie_between_neighbours", () => {
  assert.deepEqual([0, 0.25, 0.5, 1].map((q) => quantile([4, 1, 3, 2], q)), [1, 1.75, 2.5, 4]);
});

test("json_jsonl_and_csv_give_the_same_questions", () => {
  const wanted = [{ question: "One, \"two\"\nthree?", answer: "3" }, { question: "한국어 🙂?", answer: "yes" }];
  const csv = 'answer;question;more\r\n3;"One, ""two""\nthree?";x\r\nyes;한국어 🙂?;\r\n\r\n';
  assert.deepEqual(readQuestions(JSON.stringify(wanted)), wanted);
  assert.deepEqual(readQuestions(`\uFEFF${JSON.stringify([{ query: wanted[0].question, answer: 3 }, wanted[1]])}`), wanted);
  assert.deepEqual(readQuestions(wanted.map((it) => JSON.stringify(it)).join("\n")), wanted);
  assert.deepEqual(readQuestions(csv), wanted);
});

test("what_cannot_be_used_is_refused_with_its_place", () => {
  const many = `question,answer\n${"a,b\n".repeat(MAX_QUESTIONS + 1)}`;
  const cases = [
    ["", "empty"], ["[]", "empty"], ["question,answer\n", "empty"], ["x".repeat(5_000_001), "tooLarge"], [many, "tooMany"],
    ["[{", "notJson"], ['{"question": 1}', "notList"], ["a,b\n1,2", "noColumns"], ['[{"answer": "1"}]', "noQuestion", 1],
    ['question,answer\na,1\nb,', "noAnswer", 2], ['question,answer\n"a,1\nb,2', "openQuote", 2], ["[null]", "noQuestion", 1],
    ['[{"question": {"toString": 1}, "answer": "1"}]', "noQuestion", 1], ["\u0000\u0001", "noColumns"],
  ];
  for (const [text, reason, at] of cases) {
    assert.throws(() => readQuestions(String(text)), (/** @type {any} */ error) => error instanceof QuestionsError && error.reason === reason && (at === undefined || error.at === at), `${String(text).slice(0, 40)}: ${reason}`);
  }
});

test("a_batch_of_problems_gives_accuracies_intervals_times_and_files", async () => {
  const { page, consoleErrors, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.fill("#batch-count", "10");
  await page.fill("#batch-seed", "0");
  await page.uncheck("#batch input[value=direct]");
  await page.click("#batch-start");
  await page.locator("#batch-start:disabled").waitFor();
  await untilDone(page);
  assert.equal(await page.textContent("#batch-status"), "All 20 runs are done.");
  assert.equal(await page.locator("#batch-rows tr").count(), 2);
  // The rote engine says 9, and of seeds 0 … 9 one problem has that answer.
  assert.match((await page.textContent("#batch-rows")) ?? "", /Implicit10\.0%1\.8% – 40\.4%1 \/ 10/);
  assert.equal(await page.locator("#batch-chart g[data-mode]").count(), 2);
  assert.match((await page.getAttribute("#batch-chart", "aria-label")) ?? "", /Implicit: 10\.0% in .*Written: 10\.0% in /);

  const json = JSON.parse(await saved(page, "json"));
  assert.equal(json.rows.length, 20);
  assert.equal(json.questions.length, 10);
  assert.deepEqual(json.setup.modes, ["implicit", "explicit"]);
  for (const fact of ["adapter", "browser", "version", "model"]) assert.ok(json[fact], fact);
  assert.equal(json.model.files.target.path, "target.gguf");
  assert.deepEqual(json.bandwidth, { passBytes: 140000, gbPerS: 35, floorMsPerToken: 0.004, msPerToken: 0.05 });
  const order = json.rows.slice(0, 4).map((/** @type {any} */ row) => row.mode);
  assert.deepEqual(order, ["implicit", "explicit", "explicit", "implicit"], "the modes take turns in being first");
  const csv = (await saved(page, "csv")).trim().split("\r\n");
  assert.equal(csv.length, 21);
  assert.match(csv[0], /^index,question,truth,mode,answer,right,ms/);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("the_link_of_a_batch_sets_the_same_one_up", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.selectOption("#batch-family", "coin");
  await page.fill("#batch-count", "2");
  await page.fill("#batch-seed", "77");
  await page.fill("#batch-k", "3");
  await page.uncheck("#batch input[value=explicit]");
  await page.click("#batch-start");
  await page.locator("#batch-result:visible").waitFor();
  await untilDone(page);
  await page.click("#batch-link");
  const address = page.url();
  await page.goto(`${harness.url}MODEL_CARD.md`);
  await page.goto(address);
  await untilReady(page);
  const values = await Promise.all(["family", "count", "seed", "k"].map((name) => page.inputValue(`#batch-${name}`)));
  assert.deepEqual(values, ["coin", "2", "77", "3"]);
  assert.equal(await page.isChecked("#batch input[value=explicit]"), false);
  assert.equal(await page.isChecked("#batch input[value=implicit]"), true);
  await close();
});

test("a_hostile_link_is_not_obeyed", async () => {
  const { page, consoleErrors, close } = await harness.open({ fake: true, query: "#batch&count=1e99&seed=-1&modes=telepathic&k=0&family=%3Cimg%20src=x%3E" });
  await untilReady(page);
  const values = await Promise.all(["family", "count", "seed", "k"].map((name) => page.inputValue(`#batch-${name}`)));
  assert.deepEqual(values, ["arithmetic", "50", "1", ""]);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_batch_pauses_goes_on_and_is_cancelled_with_what_was_measured", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.fill("#batch-count", "500");
  await page.click("#batch-start");
  await page.locator("#batch-result:visible").waitFor();
  assert.match((await page.textContent("#batch-status")) ?? "", /^\d+ of 1,500 runs, about .+ left$/);
  await page.click("#batch-pause");
  await page.waitForTimeout(300);
  const paused = await page.textContent("#batch-status");
  assert.match(paused ?? "", /^Paused after \d+ of 1,500 runs\.$/);
  await page.waitForTimeout(300);
  assert.equal(await page.textContent("#batch-status"), paused);
  await page.click("#batch-pause");
  await page.waitForFunction((old) => document.querySelector("#batch-status")?.textContent !== old, paused);
  await page.click("#batch-pause");
  await page.click("#batch-cancel");
  await untilDone(page);
  assert.match((await page.textContent("#batch-status")) ?? "", /^Ended after \d+ of 1,500 runs/);
  assert.equal(await page.isVisible("#trouble"), false);
  assert.equal(await page.isVisible("#batch-result"), true);
  await close();
});

test("own_questions_are_pasted_dropped_or_refused_in_words", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.click("[data-text=batchOwnTitle]");
  await page.fill("#batch-own", "question,answer\nFive and four?,9\n<b>Five</b> and five?,10\n");
  await page.click("#batch-start");
  await page.locator("#batch-result:visible").waitFor();
  await untilDone(page);
  assert.match((await page.textContent("#batch-rows")) ?? "", /Implicit50\.0%.*1 \/ 2/);
  await page.fill("#batch-own", "[{]");
  await page.click("#batch-start");
  assert.match((await page.textContent("#batch-problem")) ?? "", /^This begins like JSON and is not JSON/);
  const drop = (/** @type {string} */ text) => page.evaluate((content) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([content], "own.json"));
    document.querySelector("#batch")?.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, text);
  await drop('[{"query": "Nine?", "answer": 9}]');
  await page.locator("#batch-problem").waitFor({ state: "hidden" });
  assert.match(await page.inputValue("#batch-own"), /Nine/);
  await page.fill("#batch-own", `[{"question": "${"x".repeat(3000)}", "answer": "9"}]`);
  await page.click("#batch-start");
  await page.locator("#batch-problem:visible").waitFor();
  assert.match((await page.textContent("#batch-problem")) ?? "", /the context holds 256/);
  await close();
});
