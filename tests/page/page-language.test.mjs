// The page in its languages: the same texts in each, and none in the page that is in no language's file.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { en } from "../../www/strings/en.js";
import { ko } from "../../www/strings/ko.js";
import { ask, startHarness, untilReady } from "./harness.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

/**
 * Every key of nested texts with what stands there: its type, and its places for children.
 * @param {unknown} value
 * @param {string} [path]
 * @returns {string[]}
 */
function keysOf(value, path = "") {
  if (typeof value === "string") return [`${path} ${[...value.matchAll(/\{\w+\}/g)].sort().join()}`];
  if (typeof value !== "object" || value === null) return [`${path} ${typeof value}`];
  return Object.entries(value).flatMap(([key, inner]) => keysOf(inner, `${path}.${key}`)).sort();
}

test("both_languages_have_the_same_texts_with_the_same_places", () => {
  const keys = keysOf(en);
  assert.ok(keys.length > 100, `${keys.length} texts`);
  assert.deepEqual(keysOf(ko), keys);
});

test("korean_texts_are_korean", () => {
  const same = Object.entries(ko.page).filter(([key, text]) => text === /** @type {Record<string, string>} */ (en.page)[key]);
  assert.deepEqual(same, []);
  for (const [key, text] of Object.entries(ko.page)) assert.match(text, /[가-힣]/, key);
});

test("no_text_states_a_measured_share", () => {
  // What is measured of a model comes from its folder; the one share that is meant is that of an interval.
  const textsOf = (/** @type {unknown} */ value) => (typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [String(value)]);
  const shares = [en, ko].flatMap(textsOf).flatMap((text) => [...text.matchAll(/[\d.,]+\s*%/g)].map(([share]) => share));
  assert.deepEqual([...new Set(shares)].sort(), ["100%", "95 %"].filter((it) => shares.includes(it)));
  assert.ok(shares.includes("95 %"));
});

test("index_html_says_in_english_what_the_english_file_says_and_nothing_else", async () => {
  const { page, close } = await harness.open({ query: "MODEL_CARD.md" });
  const html = await (await page.request.get(harness.url)).text();
  const { texts, loose } = await page.evaluate((source) => {
    const read = new DOMParser().parseFromString(source, "text/html");
    const flat = (/** @type {string | null} */ text) => (text ?? "").replace(/\s+/g, " ").trim();
    const texts = [...read.querySelectorAll("[data-text]")].map((element) => {
      const copy = /** @type {Element} */ (element.cloneNode(true));
      for (const slot of copy.querySelectorAll("[data-slot]")) slot.replaceWith(`{${slot.getAttribute("data-slot")}}`);
      return [element.getAttribute("data-text") ?? "", flat(copy.textContent)];
    });
    for (const [attribute, name] of [["data-label", "aria-label"], ["data-content", "content"], ["data-hint", "placeholder"]]) {
      for (const element of read.querySelectorAll(`[${attribute}]`)) texts.push([element.getAttribute(attribute) ?? "", flat(element.getAttribute(name))]);
    }
    const loose = [...read.querySelectorAll("[aria-label]:not([data-label]), [placeholder]:not([data-hint]), [title], [alt]")].map((it) => it.outerHTML);
    const walker = read.createTreeWalker(read.documentElement, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = flat(walker.currentNode.textContent);
      if (/\p{L}/u.test(text) && !walker.currentNode.parentElement?.closest("[data-text], [data-fixed], [data-slot]")) loose.push(text);
    }
    return { texts, loose };
  }, html.replace(/<\/?noscript>/g, ""));
  assert.ok(texts.length > 50, `${texts.length} texts`);
  assert.deepEqual(loose, []);
  for (const [key, text] of texts) assert.equal(text, /** @type {Record<string, string>} */ (en.page)[key], key);
  const used = new Set(texts.map(([key]) => key));
  assert.deepEqual(Object.keys(en.page).filter((key) => !used.has(key)), [], "texts that stand nowhere");
  await close();
});

test("the_page_speaks_the_browsers_language_and_the_switch_is_remembered", async () => {
  const { page, close } = await harness.open({ fake: true, locale: "ko-KR" });
  await untilReady(page);
  await ask(page);
  assert.equal(await page.getAttribute("html", "lang"), "ko");
  assert.match((await page.textContent("#headline-text")) ?? "", /^암묵적 추론이 .*배 빨리 답했고, 둘 다 맞았습니다\.$/);
  assert.match((await page.textContent("#lede-count")) ?? "", /^벡터 4개$/);
  await page.click("[data-language=en]");
  assert.equal(await page.getAttribute("html", "lang"), "en");
  assert.match((await page.textContent("#headline-text")) ?? "", /^Implicit answered/);
  assert.equal(await page.getAttribute("[data-language=en]", "aria-pressed"), "true");
  await page.reload();
  assert.equal(await page.getAttribute("html", "lang"), "en");
  await page.goto(`${harness.url}?lang=ko`);
  assert.equal(await page.title(), ko.page.documentTitle);
  await close();
});

test("nothing_on_the_korean_page_is_left_in_english", async () => {
  const { page, close } = await harness.open({ fake: true, query: "?lang=ko" });
  await untilReady(page);
  await page.click("#repeat-button");
  await page.locator("#timing[data-measured=true]").waitFor();
  await page.fill("#batch-count", "2");
  await page.click("#batch-start");
  await page.locator("#batch-result:visible").waitFor();
  await page.locator("#batch-start:enabled").waitFor();
  await page.click("#look summary");
  await page.locator("#look-result[data-empty=false][aria-busy=false]").waitFor();
  await page.fill("#map-count", "9");
  await page.click("#map-start");
  await page.locator("#map-result:visible").waitFor();
  await page.locator("#map-start:enabled").waitFor();
  await page.focus("#map-plot");
  await page.keyboard.press("ArrowRight");
  const words = await page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const text = (walker.currentNode.textContent ?? "").trim();
      const own = walker.currentNode.parentElement?.closest("[data-fixed], [lang=en], noscript");
      // Names, units and symbols stay; two English words in a row without Korean are a sentence that was missed.
      if (!own && !/[가-힣]/.test(text) && /[A-Za-z]{3,} [a-z]{2,}/.test(text)) found.push(text);
    }
    return found;
  });
  assert.deepEqual(words, []);
  await close();
});
