// Looking inside the implicit tokens, in the page: nothing before it is opened, then vectors, likeness,
// reasonings, other numbers of vectors, and many questions as points. First by rote, then by the real pair.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { ask, startHarness, untilReady } from "./harness.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

/** @param {Page} page */
async function open(page) {
  await page.click("#look summary");
  await untilLooked(page);
}

/** @param {Page} page */
async function untilLooked(page) {
  await page.locator("#look-result[data-empty=false][aria-busy=false]").waitFor({ timeout: 60_000 });
}

/**
 * @param {Page} page
 * @param {number} k
 */
async function slideTo(page, k) {
  await page.locator("#look-k").evaluate((slider, value) => {
    /** @type {HTMLInputElement} */ (slider).value = String(value);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    slider.dispatchEvent(new Event("change", { bubbles: true }));
  }, k);
  await page.locator(`#look-tried li:nth-child(${k})[data-current=true]`).waitFor();
  await untilLooked(page);
}

/**
 * Draws and waits until all points are there.
 * @param {Page} page
 * @param {number} count
 */
async function draw(page, count) {
  await page.fill("#map-count", String(count));
  await page.click("#map-start");
  await page.locator("#map-cancel:visible").waitFor();
  await page.locator("#map-cancel").waitFor({ state: "hidden", timeout: 120_000 });
}

const texts = (/** @type {Page} */ page, /** @type {string} */ selector) => page.locator(selector).allTextContents();

test("nothing_is_computed_or_fetched_before_it_is_opened", async () => {
  /** @type {string[]} */ const fetched = [];
  const { page, consoleErrors, close } = await harness.open({
    fake: true,
    prepare: async (page) => void page.on("request", (request) => fetched.push(request.url())),
  });
  await untilReady(page);
  await ask(page);
  const own = () => ["sentence_transformer", "/look/", "/views/map"].map((part) => fetched.filter((url) => url.includes(part)).length > 0);
  assert.deepEqual(own(), [false, false, false]);
  await open(page);
  assert.deepEqual(own(), [true, true, true]);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("vectors_words_likeness_and_reasonings_are_shown_as_the_engine_gives_them", async () => {
  const { page, consoleErrors, close } = await harness.open({ fake: true });
  await untilReady(page);
  await ask(page);
  await open(page);
  assert.deepEqual(await texts(page, "#look-vectors h4"), ["Vector 1", "Vector 2", "Vector 3", "Vector 4"]);
  assert.deepEqual(await texts(page, "#look-vectors [data-part=norm]"), ["length 10.00", "length 11.00", "length 12.00", "length 13.00"]);
  assert.deepEqual(await texts(page, "#look-vectors li:first-child .words b"), ["␣nine", "9", "∅", "⏎", "</b><img src=x>"]);
  assert.match((await page.textContent("#look-words-note")) ?? "", /at random has 0\.39 with/);
  assert.deepEqual(await texts(page, "#look-cosines tr:nth-child(2) td"), ["0.10", "1.00", "−0.10", "−0.20"]);
  assert.equal(await page.locator("#look-cosines th[scope=row]").count(), 4);
  assert.equal(await page.textContent("#look-ranking-summary"), "The question's own reasoning is number 3 of 100.");
  const own = page.locator("#look-ranking li[data-own=true]");
  assert.equal(await own.count(), 1);
  assert.equal(
    await page.textContent("#look-measured"),
    "Over many held-out questions, the own reasoning came first: Arithmetic, for 87.5% of 1,500, beside 99 others (by chance 1.0%); Coin flips, for 100.0% of 40, beside 4 others (by chance 20.0%).",
  );
  // What the written lane has written, not something else.
  assert.match((await own.textContent()) ?? "", /^3\.\s+0\.79 its own 12 - 5 = 7 ; 7 \+ 2 = 9$/);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("another_number_of_vectors_is_asked_again_and_judged", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await open(page);
  assert.equal(await page.textContent("#look-k-note"), "as the pair was trained");
  assert.deepEqual((await texts(page, "#look-tried li")).filter((text) => text.includes(":")), ["k = 4: 9 ✓"]);
  await slideTo(page, 2);
  assert.match((await page.textContent("#look-k-note")) ?? "", /^not as trained: the pair learnt with k = 4/);
  assert.deepEqual((await texts(page, "#look-tried li")).filter((text) => text.includes(":")), ["k = 2: 2 ✗", "k = 4: 9 ✓"]);
  assert.equal(await page.locator("#look-vectors .vector").count(), 2);
  await page.focus("#look-k");
  await page.keyboard.press("ArrowRight");
  await page.locator("#look-tried li:nth-child(3)[data-current=true]").waitFor();
  await untilLooked(page);
  assert.equal(await page.locator("#look-vectors .vector").count(), 3);
  await close();
});

test("another_question_is_looked_at_when_it_is_asked", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await open(page);
  assert.match((await page.textContent("#look-question")) ?? "", /^Maria has 12 apples/);
  await page.click("text=Balloons");
  await ask(page);
  await page.waitForFunction(() => /balloons/.test(document.querySelector("#look-question")?.textContent ?? ""));
  await untilLooked(page);
  assert.deepEqual((await texts(page, "#look-tried li")).filter((text) => text.includes(":")), ["k = 4: 9 ✗"]);
  await close();
});

test("what_was_opened_too_early_is_looked_at_when_the_engine_is_there", async () => {
  const { page, close } = await harness.open({
    fake: true,
    prepare: (page) => page.route("**/models/mini/target.gguf", async (route) => {
      await page.getByText("Shown once a model is loaded and there is a question.").waitFor();
      await route.fulfill({ body: Buffer.alloc(3000) });
    }),
  });
  await page.click("#look summary");
  await page.getByText("Shown once a model is loaded and there is a question.").waitFor();
  await untilLooked(page);
  assert.equal(await page.locator("#look-vectors .vector").count(), 4);
  await close();
});

test("a_measurement_goes_on_with_the_panel_open", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await open(page);
  await page.click("#repeat-button");
  await page.locator("#timing[data-measured=true]").waitFor();
  await close();
});

test("a_folder_without_a_sentence_transformer_shows_all_but_the_comparison", async () => {
  const { page, consoleErrors, close } = await harness.open({
    fake: true,
    prepare: async (page) => {
      const files = { target: { path: "target.gguf", bytes: 3000 }, generator: { path: "generator.gguf", bytes: 2000 } };
      await page.route("**/models/mini/semcot.json", (route) => route.fulfill({ body: JSON.stringify({ files }), contentType: "application/json" }));
    },
  });
  await untilReady(page);
  await open(page);
  assert.equal(await page.locator("#look-vectors .vector").count(), 4);
  assert.match((await page.textContent("#look-ranking-summary")) ?? "", /no sentence transformer/);
  assert.equal(await page.locator("#look-ranking li").count(), 0);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("many_questions_are_points_with_classes_that_can_be_changed_and_read", async () => {
  const { page, consoleErrors, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.click("#look summary");
  await untilLooked(page);
  await draw(page, 40);
  assert.equal(await page.textContent("#map-status"), "40 questions.");
  assert.equal(await page.locator("#map-points path").count(), 40);
  const legend = await texts(page, "#map-legend li");
  assert.equal(legend.length, 2, `${legend}`);
  assert.equal(legend.map((line) => Number(line.match(/\((\d+)\)/)?.[1])).reduce((a, b) => a + b), 40);
  // Two clouds along the first direction, as the rote vectors are made.
  const xs = await page.locator("#map-points path").evaluateAll((all) => all.map((it) => Number(it.getAttribute("transform")?.match(/translate\(([\d.]+)/)?.[1])));
  assert.ok(xs.every((x) => x < 150 || x > 490), `${xs}`);
  await page.selectOption("#map-colour", "answer");
  await page.locator("#map-legend li:nth-child(3)").waitFor();
  await page.selectOption("#map-what", "mean");
  assert.equal(await page.locator("#map-points path").count(), 40);

  await page.hover("#map-points path[data-point='3']", { force: true });
  await page.locator("#map-tip:visible").waitFor();
  const tipped = await page.textContent("#map-tip");
  assert.match(tipped ?? "", /^Ann has \d pears/);
  await page.mouse.move(0, 0);
  await page.focus("#map-plot");
  await page.keyboard.press("ArrowRight");
  assert.match((await page.textContent("#map-chosen")) ?? "", /^Question 1; its answer is \d+\.$/);
  await page.keyboard.press("ArrowLeft");
  assert.match((await page.textContent("#map-chosen")) ?? "", /^Question 40;/);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("the_points_can_be_cancelled_and_what_is_there_stays", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await open(page);
  await page.fill("#map-count", "1000");
  await page.click("#map-start");
  await page.locator("#map-result:visible").waitFor();
  await page.click("#map-cancel");
  await page.locator("#map-start:enabled").waitFor();
  assert.match((await page.textContent("#map-status")) ?? "", /^Ended after \d+ of 1,000 questions\.$/);
  assert.equal(await page.isVisible("#trouble"), false);
  assert.ok((await page.locator("#map-points path").count()) >= 3);
  await close();
});

test("looking_again_moves_nothing_below_it", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.fill("#question", "Answer 3 SLOWLY");
  await open(page);
  const top = () => page.evaluate(() => document.querySelector(".map")?.getBoundingClientRect().top);
  const before = await top();
  await page.locator("#look-k").evaluate((slider) => {
    /** @type {HTMLInputElement} */ (slider).value = "6";
    for (const type of ["input", "change"]) slider.dispatchEvent(new Event(type, { bubbles: true }));
  });
  await page.locator("#look-result[aria-busy=true]").waitFor();
  assert.equal(await top(), before);
  await untilLooked(page);
  await close();
});

for (const width of [360, 1280]) {
  test(`nothing_inside_is_cut_off_or_scrolls_sideways_at_${width}_pixels`, async () => {
    const { page, close } = await harness.open({ fake: true, viewport: { width, height: 740 } });
    await untilReady(page);
    await page.fill("#question", `${"W".repeat(300)} 8?`);
    await open(page);
    await slideTo(page, 8);
    await draw(page, 12);
    const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= shown, `${content} wide in ${shown}`);
    await close();
  });
}

test("the_real_pairs_vectors_read_most_like_the_questions_own_reasoning", async () => {
  const { page, consoleErrors, close } = await harness.open();
  await untilReady(page);
  await ask(page);
  await open(page);
  assert.equal(await page.textContent("#look-ranking-summary"), "Of 100 reasonings, the vectors read most like the question's own.");
  assert.match((await page.textContent("#look-ranking li[data-own=true]")) ?? "", /^1\.\s+0\.9\d its own We start with 12\. Then 5 go away/);
  // As the folder tells it, so that another training cannot make it false.
  const { alignment } = JSON.parse(readFileSync(new URL("../../models/mini/semcot.json", import.meta.url), "utf8"));
  assert.ok(alignment.length > 0);
  for (const { own_first: share } of alignment) assert.ok((await page.textContent("#look-measured"))?.includes(`${(share * 100).toFixed(1)}%`), `${share}`);
  const cosines = await texts(page, "#look-cosines td");
  assert.equal(cosines.length, 16);
  assert.deepEqual([0, 5, 10, 15].map((index) => cosines[index]), ["1.00", "1.00", "1.00", "1.00"]);
  assert.equal(await page.locator("#look-vectors .words li").count(), 20);
  await slideTo(page, 1);
  assert.match((await page.textContent("#look-tried li:nth-child(1)")) ?? "", /^k = 1: .+ [✓✗]$/);
  await page.selectOption("#map-family", "");
  await draw(page, 40);
  assert.equal(await page.locator("#map-points path").count(), 40);
  await page.selectOption("#map-colour", "family");
  assert.deepEqual((await texts(page, "#map-legend li")).map((line) => line.trim()), ["Arithmetic (20)", "Coin flips (20)"]);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("the_interface_looks_and_embeds_and_refuses_in_codes", async () => {
  const { page, close } = await harness.open({ query: "MODEL_CARD.md" });
  const found = await page.evaluate(async () => {
    const { SemCoT } = await import(/** @type {any} */ ("/www/semcot.js"));
    const engine = await SemCoT.load("/models/mini/");
    const question = "Maria has 12 apples. She gives 5 apples to Tom. How many apples does Maria have now?";
    const code = (/** @type {Promise<unknown>} */ run) => run.then(() => "", (error) => `${error.name} ${error.code}`);
    const plain = await engine.inspect(question, { nearest: 0, implicitTokens: 3 });
    const texts = ["12 - 5 = 7", "3 + 4 = 7", "12 - 5 = 7"];
    let done = 0;
    const embeddings = await engine.embed(texts, { onEmbedded: (/** @type {number} */ count) => (done = count) });
    const one = await engine.embed(texts[0]);
    const looked = await engine.inspect(question, { bank: texts, reasoning: "We start with 12. Then 5 go away, so that leaves 12 - 5 = 7." });
    const controller = new AbortController();
    const aborted = engine.embed(Array.from({ length: 500 }, (_, index) => `${index} + 1 = ${index + 1}`), { signal: controller.signal, onEmbedded: () => controller.abort() });
    const result = {
      values: [plain.values.constructor.name, plain.values.length, plain.hiddenSize, plain.vectors[0].nearest.length, plain.alignment, plain.vocabulary],
      embeddings: [embeddings.length, one.constructor.name, one.length, done],
      same: embeddings[0].join() === one.join() && embeddings[2].join() === one.join() && embeddings[1].join() !== one.join(),
      norms: looked.vectors.map((/** @type {any} */ it) => it.norm),
      ranking: looked.alignment.ranking.length,
      rank: looked.alignment.rank,
      codes: [
        await code(aborted),
        await code(engine.embed("")),
        await code(engine.embed("7 ".repeat(1000))),
        await code(engine.inspect("")),
        await code(engine.inspect(question, { implicitTokens: 65 })),
        await code(engine.inspect(question, { nearest: 1000 })),
        await code(engine.inspect(question, { bank: "text" })),
      ],
    };
    const single = await SemCoT.load("/models/mini/target.gguf");
    result.codes.push(await code(single.embed("7")));
    await single.dispose();
    await engine.dispose();
    return result;
  });
  assert.deepEqual(found.values, ["Float32Array", 3 * 64, 64, 0, null, null]);
  assert.deepEqual(found.embeddings, [3, "Float32Array", 64, 3]);
  assert.ok(found.same, "one text, one embedding");
  assert.ok(found.norms.length === 4 && found.norms.every((/** @type {number} */ norm) => norm > 1));
  assert.deepEqual([found.ranking, found.rank], [4, 1]);
  assert.deepEqual(found.codes, [
    "AbortError aborted", "SemCoTError bad-input", "SemCoTError bad-input", "SemCoTError bad-input", "SemCoTError bad-input", "SemCoTError bad-input", "SemCoTError bad-input", "SemCoTError bad-input",
  ]);
  await close();
});

test("a_damaged_or_missing_sentence_transformer_is_refused_by_its_code_and_answers_go_on", async () => {
  for (const [answer, wanted] of /** @type {const} */ ([
    [{ body: Buffer.alloc(121024, 7) }, "integrity"],
    [{ status: 404, body: "" }, "network"],
  ])) {
    const { page, close } = await harness.open({
      query: "MODEL_CARD.md",
      prepare: (page) => page.route("**/sentence_transformer.gguf", (route) => route.fulfill(answer)),
    });
    const found = await page.evaluate(async () => {
      const { SemCoT } = await import(/** @type {any} */ ("/www/semcot.js"));
      const engine = await SemCoT.load("/models/mini/");
      const question = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";
      const code = await engine.embed("5 + 2 = 7").then(() => "", (/** @type {any} */ error) => error.code);
      const { answer } = await engine.ask(question);
      const { vectors } = await engine.inspect(question);
      await engine.dispose();
      return { code, answer, vectors: vectors.length };
    });
    assert.deepEqual(found, { code: wanted, answer: "9", vectors: 4 });
    await close();
  }
});
