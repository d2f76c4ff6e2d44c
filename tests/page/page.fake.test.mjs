// The page with an engine that answers by rote: what a real device will not do on demand, or not at
// a known pace.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { ask, readLane, startHarness, untilReady } from "./harness.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

test("the_headline_says_how_much_sooner_and_whether_both_are_right", async () => {
  const { page, consoleErrors, close } = await harness.open({ fake: true });
  await untilReady(page);
  await ask(page);
  assert.match((await page.textContent("#headline-text")) ?? "", /^Implicit answered \d+(\.\d)?× sooner, and both are right\.$/);
  assert.equal((await readLane(page, "explicit")).reasoning, "12 - 5 = 7 ; 7 + 2 = 9");
  assert.equal((await readLane(page, "implicit")).vectors, 4);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_question_of_ones_own_is_compared_but_not_judged", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await ask(page, "How many are five and four?");
  assert.match((await page.textContent("#headline-text")) ?? "", /sooner, and both say 9\.$/);
  assert.equal((await readLane(page, "implicit")).verdict, "");
  await close();
});

test("a_wrong_answer_is_shown_as_wrong_with_the_right_one", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.click("text=Balloons");
  await ask(page);
  assert.equal((await readLane(page, "implicit")).verdict, "✗ it is 18");
  assert.match((await page.textContent("#headline-text")) ?? "", /but both are wrong\.$/);
  await close();
});

test("a_problem_that_comes_late_leaves_what_was_typed_meanwhile", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.evaluate(() => {
    /** @type {HTMLButtonElement} */ (document.querySelector("#new-problem")).click();
    const question = /** @type {HTMLTextAreaElement} */ (document.querySelector("#question"));
    question.value = "How many are five and four?";
    question.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await ask(page);
  assert.equal(await page.inputValue("#question"), "How many are five and four?");
  await page.click("#new-problem");
  await page.waitForFunction(() => /pears/.test(/** @type {HTMLTextAreaElement} */ (document.querySelector("#question")).value));
  await close();
});

test("escape_stops_a_run_and_the_next_one_works", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.fill("#question", "Answer SLOWLY");
  await page.click("#ask-button");
  await page.locator("#lane-implicit[data-status=running]").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#ask-button:enabled").waitFor();
  assert.equal(await page.textContent("#headline-text"), "Stopped.");
  assert.equal(await page.isVisible("#trouble"), false);
  await ask(page, "Five and four?");
  assert.equal((await readLane(page, "direct")).answer, "9");
  await close();
});

test("a_lost_device_is_explained_and_the_next_question_answered", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.fill("#question", "LOSE the device");
  await page.click("#ask-button");
  await page.locator("#trouble:visible").waitFor();
  assert.equal(await page.getAttribute("#trouble", "data-code"), "device-lost");
  assert.equal(await page.inputValue("#question"), "LOSE the device", "the question is kept");
  assert.equal(await page.isVisible("#trouble-reload"), false, "the engine starts anew by itself");
  await ask(page, "Five and four?");
  assert.equal(await page.isVisible("#trouble"), false);
  await close();
});

test("a_worker_without_webgpu_leaves_the_engine_to_the_page", async () => {
  const { page, close } = await harness.open({
    fake: true,
    prepare: (page) =>
      page.route("**/www/worker.js", async (route) => {
        const body = await (await route.fetch()).text();
        await route.fulfill({ body: `Object.defineProperty(navigator, "gpu", { value: undefined });\n${body}`, contentType: "text/javascript" });
      }),
  });
  await untilReady(page);
  await ask(page);
  assert.equal((await readLane(page, "implicit")).answer, "9");
  assert.equal(page.workers().length, 0);
  await close();
});

test("everything_can_be_done_by_keyboard", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.className), "skip");
  for (const language of ["en", "ko"]) {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("data-language")), language);
  }
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "question");
  await page.keyboard.press("Enter");
  await page.locator("#headline-text.result").waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "ask-button");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => /heldout/.test(/** @type {HTMLTextAreaElement} */ (document.querySelector("#question")).value));
  await close();
});

test("answers_are_announced_once_each", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await ask(page);
  assert.match((await page.textContent("#announcer")) ?? "", /^Implicit: 9, right, .*\. Written: 9, right, .*\. Direct: 9, right, /);
  await close();
});

for (const width of [360, 768, 1280]) {
  test(`nothing_is_cut_off_or_scrolls_sideways_at_${width}_pixels`, async () => {
    const { page, close } = await harness.open({ fake: true, viewport: { width, height: 740 } });
    await untilReady(page);
    await ask(page, "W".repeat(400));
    await page.click("#repeat-button");
    await page.locator("#timing[data-measured=true]").waitFor();
    const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= shown, `${content} wide in ${shown}`);
    await close();
  });
}

test("nothing_moves_between_loading_the_answer_and_its_measurement", async () => {
  const { page, close } = await harness.open({ fake: true });
  const tops = () => page.evaluate(() => [".lanes", ".timing", ".about"].map((name) => document.querySelector(name)?.getBoundingClientRect().top));
  const loading = await tops();
  await untilReady(page);
  const ready = await tops();
  await ask(page);
  const answered = await tops();
  await page.click("#repeat-button");
  await page.locator("#timing[data-measured=true]").waitFor();
  assert.deepEqual([ready, answered, await tops()], [loading, loading, loading]);
  await close();
});

for (const language of ["en", "ko"]) {
  test(`lanes_begin_alike_and_names_of_facts_take_two_lines_at_most_in_${language}`, async () => {
    for (const width of [390, 1280]) {
      const { page, close } = await harness.open({ fake: true, query: `?lang=${language}`, viewport: { width, height: 800 } });
      await untilReady(page);
      await page.click("#repeat-button");
      await page.locator("#timing[data-measured=true]").waitFor();
      await page.locator("#ask-button:enabled").waitFor();
      const { heads, names } = await page.evaluate(() => {
        const height = (/** @type {Element} */ element) => Math.round(element.getBoundingClientRect().height);
        return {
          heads: [...document.querySelectorAll(".lane > header")].map(height),
          names: [...document.querySelectorAll("#facts dt")].map((name) => /** @type {const} */ ([name.textContent, height(name)])),
        };
      });
      assert.equal(new Set(heads).size, 1, `heads of ${heads} pixels at ${width}`);
      assert.ok(names.length > 5);
      // A line has 22 pixels.
      for (const [name, tall] of names) assert.ok(tall <= 50, `${name}: ${tall} pixels at ${width}`);
      await close();
    }
  });

  test(`question_lanes_headline_and_times_fit_a_laptop's_screen_in_${language}`, async () => {
    const { page, close } = await harness.open({ fake: true, query: `?lang=${language}`, viewport: { width: 1366, height: 768 } });
    await untilReady(page);
    await page.click("#repeat-button");
    await page.locator("#timing[data-measured=true]").waitFor();
    const bottom = await page.evaluate(() => document.querySelector(".timing")?.getBoundingClientRect().bottom);
    assert.ok(bottom !== undefined && bottom <= 768, `${bottom} of 768 pixels`);
    await close();
  });
}

test("bars_are_to_one_scale_and_hold_the_phases_that_the_engine_timed", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  await ask(page);
  const { widths, texts } = await page.evaluate(() => {
    const rows = [...document.querySelectorAll("#timing tbody tr")];
    const percent = (/** @type {Element} */ bar) => Number.parseFloat(/** @type {HTMLElement} */ (bar).style.inlineSize);
    return {
      widths: rows.map((row) => [...row.querySelectorAll(".track i")].map(percent)),
      texts: rows.map((row) => row.querySelector("[data-cell=phases]")?.textContent ?? ""),
    };
  });
  const sums = widths.map((row) => row.reduce((sum, width) => sum + width, 0));
  assert.ok(Math.abs(Math.max(...sums) - 100) < 0.1, `${sums}`);
  assert.equal(sums.indexOf(Math.max(...sums)), 1, "the written lane took longest");
  for (const [generator, prefill, decode] of widths) {
    assert.ok(Math.abs(prefill / generator - 2) < 0.01 && Math.abs(decode / generator - 3) < 0.01, `${widths}`);
  }
  for (const text of texts) assert.match(text, /^generator 1\.0 ms, reading 2\.0 ms, writing 3\.0 ms, handing over and waiting [\d.]+ ms$/);
  await close();
});

test("the_least_time_of_a_token_is_measured_once_when_one_measures_and_not_shown_where_it_cannot_be", async () => {
  const { page, close } = await harness.open({ fake: true });
  await untilReady(page);
  const fact = page.locator("#facts div", { hasText: "Least time a token" });
  assert.match((await fact.textContent()) ?? "", /measured along with “Measure again”$/);
  await page.click("#repeat-button");
  await page.waitForFunction(() => /0\.004 ms: .* 140 kB of weights, .* 35 GB\/s at most\. A token took 0\.05 ms/.test(document.querySelector("#facts")?.textContent ?? ""));
  await page.locator("#ask-button:enabled").waitFor();
  await page.evaluate(() => Object.assign(globalThis, { fact: [...document.querySelectorAll("#facts dt")].find((it) => it.textContent === "Least time a token") }));
  await page.click("#repeat-button");
  await page.locator("#ask-button:enabled").waitFor();
  assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).fact.isConnected), true, "the facts were not made anew");
  await close();

  const without = await harness.open({
    fake: true,
    prepare: async (page) => {
      const fake = readFileSync(new URL("./fake-engine.js", import.meta.url), "utf8");
      const body = fake.replace("async bench({ matvecBytes, weightTypes }) {", 'async bench() {\n    throw failure("out-of-memory", "There is no room.");');
      assert.notEqual(body, fake);
      await page.route("**/www/pkg/semcot.js", (route) => route.fulfill({ body, contentType: "text/javascript" }));
    },
  });
  await untilReady(without.page);
  await without.page.click("#repeat-button");
  await without.page.locator("#timing[data-measured=true]").waitFor();
  await without.page.locator("#ask-button:enabled").waitFor();
  assert.equal(await without.page.locator("#facts div", { hasText: "Least time a token" }).count(), 0);
  assert.equal(await without.page.isVisible("#trouble"), false);
  await without.close();
});

test("a_strict_content_security_policy_holds", async () => {
  const { page, consoleErrors, close } = await harness.open({
    fake: true,
    prepare: (page) =>
      page.route(/\/(\?.*)?$/, async (route) => {
        const response = await route.fetch();
        const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
        await route.fulfill({ response, headers: { ...response.headers(), "Content-Security-Policy": policy } });
      }),
  });
  await untilReady(page);
  await page.click("#repeat-button");
  await page.locator("#timing[data-measured=true]").waitFor();
  assert.deepEqual(consoleErrors, []);
  await close();
});
