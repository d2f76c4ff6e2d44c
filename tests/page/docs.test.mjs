// The documentation: it tells the interface as it is, its links lead somewhere, its example runs.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT } from "../../scripts/commands.mjs";
import * as docs from "../../scripts/docs.mjs";
import { readInterface } from "../../scripts/reference.mjs";
import { referencesIn } from "../../scripts/references.mjs";
import { serious, startHarness } from "./harness.mjs";

const PAGES = readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".html")).map((name) => `docs/${name}`);

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

test("the_pages_are_what_the_script_writes_and_the_reference_has_every_exported_name", () => {
  assert.deepEqual(docs.PAGES.map(({ file }) => `docs/${file}`).sort(), PAGES, "every page is one of the script's");
  const page = readFileSync(docs.pathOf("api.html"), "utf8");
  const { exports } = readInterface();
  assert.ok(exports.length > 25, `${exports.length} names`);
  const missing = exports.map((it) => it.name).filter((name) => !page.includes(`<section id="${name}">`));
  assert.deepEqual(missing, [], "run npm run docs");
  for (const it of docs.PAGES) assert.equal(readFileSync(docs.pathOf(it.file), "utf8"), docs.docsPage(it), `${it.file}: run npm run docs`);
});

test("every_link_of_the_docs_and_of_the_page_leads_to_something", () => {
  let followed = 0;
  for (const page of [...PAGES, "index.html"]) {
    for (const { path, suffix } of referencesIn(page, readFileSync(join(ROOT, page), "utf8"))) {
      const index = path.startsWith("models/") ? "semcot.json" : "index.html";
      const file = path.endsWith("/") || path === "." ? join(path, index) : path;
      assert.ok(existsSync(join(ROOT, file)), `${page} names ${file}`);
      const [, id] = suffix.match(/^#(.+)$/) ?? [];
      if (id) assert.ok(readFileSync(join(ROOT, file), "utf8").includes(`id="${id}"`), `${page} names ${file}#${id}`);
      followed++;
    }
  }
  assert.ok(followed > 50, `${followed} links`);
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`axe_finds_nothing_serious_in_the_docs_in_${colorScheme}_and_nothing_scrolls_sideways`, async () => {
    const { page, consoleErrors, close } = await harness.open({ query: PAGES[0], colorScheme, viewport: { width: 360, height: 740 } });
    for (const path of PAGES) {
      await page.goto(harness.url + path);
      const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= shown, `${path}: ${content} wide in ${shown}`);
      assert.deepEqual(await serious(page), [], path);
    }
    assert.deepEqual(consoleErrors, []);
    await close();
  });
}

test("the_first_example_runs_as_it_stands", async () => {
  const { page, close } = await harness.open({ query: "docs/" });
  const logged = await page.evaluate(async () => {
    const example = [...document.querySelectorAll("pre")].map((it) => it.textContent ?? "").find((text) => text.startsWith("import"));
    const lines = /** @type {any[]} */ ([]);
    Object.assign(globalThis, { noted: (/** @type {any[]} */ ...words) => lines.push(words) });
    // It stands beside www/ and models/, as the page does.
    const script = /** @type {string} */ (example).replaceAll("console.log", "noted")
      .replace("./www/", `${location.origin}/www/`).replace("models/", `${location.origin}/models/`);
    await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
    return lines;
  });
  const [answer, ms] = logged.at(-1);
  assert.equal(answer, "7");
  assert.ok(ms > 0);
  assert.ok(logged.some(([piece]) => piece?.kind === "implicit_tokens"));
  await close();
});

test("the_demonstration_in_the_docs_answers_in_every_way_and_loads_nothing_before", async () => {
  const { page, consoleErrors, close } = await harness.open({ query: "docs/" });
  await page.locator("semcot-demo").scrollIntoViewIfNeeded();
  assert.equal(await page.evaluate(() => performance.getEntriesByType("resource").some(({ name }) => /gguf|wasm/.test(name))), false);
  const answers = page.evaluate(() => new Promise((resolve, reject) => {
    const demo = /** @type {Element} */ (document.querySelector("semcot-demo"));
    demo.addEventListener("done", (event) => resolve(/** @type {CustomEvent} */ (event).detail.answers));
    demo.addEventListener("error", (event) => reject(/** @type {CustomEvent} */ (event).detail));
  }));
  await page.locator("semcot-demo").getByRole("button").first().click();
  const { implicit, explicit, direct } = /** @type {any} */ (await answers);
  assert.deepEqual([implicit.answer, explicit.answer], ["9", "9"]);
  assert.ok(direct.tokens > 0);
  assert.deepEqual(await serious(page), []);
  assert.deepEqual(consoleErrors, []);
  await close();
});
