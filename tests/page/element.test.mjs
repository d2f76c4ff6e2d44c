// <semcot-demo>, in pages of other people.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { serious, startHarness, untilTrue } from "./harness.mjs";

const QUESTION = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";
const DEMO = `<semcot-demo device="gpu" src="models/mini/" question="${QUESTION}" answer="9"></semcot-demo>`;
/** Scripts and styles only from the page's own place, wasm allowed. */
const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

/**
 * A page of somebody else with the element in it; what it hears and asks of servers is on record.
 * @param {string} body
 * @param {Partial<import("./harness.mjs").OpenOptions> & { policy?: string, head?: string }} [options]
 */
async function openPage(body, { policy = STRICT, head = "", ...options } = {}) {
  /** @type {string[]} */
  const requests = [];
  const html = `<!doctype html><html lang="en"><head><title>Somebody's page</title><link rel="icon" href="/www/icon.svg">
    <meta name="viewport" content="width=device-width, initial-scale=1">${head}
    <script type="module" src="/www/element.js"></script></head><body><main><h1>Somebody's page</h1>${body}</main></body></html>`;
  const opened = await harness.open({
    ...options,
    query: "somebody.html",
    prepare: async (page) => {
      page.on("request", (request) => requests.push(new URL(request.url()).pathname));
      await page.route("**/somebody.html", (route) => route.fulfill({ body: html, contentType: "text/html", headers: { "Content-Security-Policy": policy } }));
      // Scripts of the test itself are not the page's.
      await page.addInitScript(() => {
        Object.assign(globalThis, { heard: [] });
        addEventListener("DOMContentLoaded", () => {
          for (const demo of document.querySelectorAll("semcot-demo")) {
            for (const type of ["progress", "token", "done", "error"]) {
              demo.addEventListener(type, (event) => {
                const { detail } = /** @type {CustomEvent} */ (event);
                // Errors lose their fields on the way out of the browser.
                /** @type {any} */ (globalThis).heard.push([type, detail instanceof Error ? { .../** @type {any} */ (detail) } : detail]);
              });
            }
          }
        });
      });
      await options.prepare?.(page);
    },
  });
  const { page } = opened;
  return {
    ...opened,
    requests,
    heard: () => page.evaluate("heard"),
    run: (nth = 0) => page.locator("semcot-demo #run").nth(nth).click(),
    status: (/** @type {RegExp} */ text, nth = 0) => page.locator("semcot-demo .status").nth(nth).filter({ hasText: text }).waitFor({ timeout: 60_000 }),
  };
}

/** @param {string[]} requests */
const models = (requests) => requests.filter((path) => /\/models\/|\.wasm$/.test(path));

test("a_click_loads_the_model_and_answers_under_a_strict_policy", async () => {
  const { page, requests, heard, run, status, consoleErrors, close } = await openPage(DEMO);
  await page.locator("semcot-demo #run").waitFor();
  assert.equal(await page.locator("semcot-demo #question").inputValue(), QUESTION);
  assert.deepEqual(models(requests), [], "nothing is fetched before it is asked");
  assert.equal(page.workers().length, 0);
  await run();
  await status(/^(Implicit|Written reasoning) answered [\d.]+× sooner, and both say 9\.$/);
  assert.deepEqual(await page.locator("semcot-demo .answer").allInnerTexts(), ["9", "9"]);
  assert.deepEqual(await page.locator("semcot-demo .verdict").allInnerTexts(), ["✓ right", "✓ right"]);
  assert.match(await page.locator("semcot-demo .reasoning:visible").innerText(), /12 - 5 = 7/);
  assert.ok((await page.locator("semcot-demo .cell").count()) > 0);

  const events = await heard();
  const types = events.map((/** @type {any} */ [type]) => type);
  assert.deepEqual([...new Set(types)], ["progress", "token", "done"]);
  assert.equal(types.filter((/** @type {string} */ type) => type === "done").length, 1);
  assert.equal(events.find((/** @type {any} */ [type]) => type === "token")[1].piece.kind, "implicit_tokens");
  const [, { question, answers }] = events.at(-1);
  assert.equal(question, QUESTION);
  assert.deepEqual(Object.values(answers).map((/** @type {any} */ it) => it.answer), ["9", "9"]);
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("nothing_is_computed_before_it_is_seen", async () => {
  const watch = (/** @type {import("playwright-core").Page} */ page) => page.addInitScript(`{
    globalThis.asked = 0;
    const { requestAdapter } = GPU.prototype;
    GPU.prototype.requestAdapter = function (...args) { asked++; return requestAdapter.apply(this, args); };
  }`);
  const { page, close } = await openPage(`<div id="far"></div>${DEMO}`, { prepare: watch, policy: "", head: "<style>#far { height: 5000px }</style>" });
  await page.locator("semcot-demo").waitFor({ state: "attached" });
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  assert.equal(await page.evaluate("asked"), 0);
  await page.locator("semcot-demo").scrollIntoViewIfNeeded();
  await untilTrue(page, async () => /** @type {any} */ (globalThis).asked === 1);
  await close();
});

test("two_of_one_page_share_an_engine_until_both_have_gone", async () => {
  const other = DEMO.replace("<semcot-demo", `<semcot-demo modes="direct implicit nonsense implicit"`);
  const { page, requests, run, status, close } = await openPage(DEMO + other);
  // The second asks while the first still loads.
  await run(0);
  await run(1);
  await Promise.all([status(/sooner/, 0), status(/^Implicit: 9, Direct: /, 1)]);
  assert.equal(page.workers().length, 1);
  const weights = requests.filter((path) => path.endsWith("target.gguf"));
  assert.ok(weights.length > 0 && weights.length <= 3, `${weights.length} requests for one file`);

  // Moved, it keeps the engine; one gone, the other does.
  const [worker] = page.workers();
  const gone = new Promise((resolve) => worker.once("close", resolve));
  await page.evaluate(`{
    const [first, second] = document.querySelectorAll("semcot-demo");
    document.body.append(first);
    second.remove();
  }`);
  await run();
  await status(/sooner/);
  assert.deepEqual(page.workers(), [worker]);
  await page.evaluate(`document.querySelector("semcot-demo").remove()`);
  await gone;
  await close();
});

test("attributes_are_followed_while_it_stands_there", async () => {
  const { page, run, status, heard, close } = await openPage(DEMO);
  const texts = (/** @type {string} */ selector) => page.locator(`semcot-demo ${selector}`).allInnerTexts();
  assert.deepEqual(await texts(".name"), ["Implicit", "Written"]);
  await page.evaluate(`{
    const demo = document.querySelector("semcot-demo");
    demo.modes = "direct";
    demo.lang = "ko";
    demo.question = "1 + 1?";
  }`);
  assert.deepEqual(await texts(".name"), ["바로 답하기"]);
  assert.deepEqual(await texts("#run"), ["질문"]);
  assert.equal(await page.locator("semcot-demo #question").inputValue(), "1 + 1?");
  await page.evaluate(`document.querySelector("semcot-demo").setAttribute("question", ${JSON.stringify(QUESTION)})`);
  await run();
  await status(/^바로 답하기: /);
  assert.deepEqual(Object.keys((await heard()).at(-1)[1].answers), ["direct"]);

  // A change amid a run ends it without a word.
  await page.evaluate(`{
    const demo = document.querySelector("semcot-demo");
    demo.modes = "explicit";
    demo.addEventListener("token", () => (demo.lang = "en", demo.modes = "implicit explicit direct"), { once: true });
  }`);
  await run();
  await page.locator("semcot-demo .name >> text=Direct").waitFor();
  await page.locator("semcot-demo #run:visible").waitFor();
  assert.deepEqual(await texts(".status"), [""]);
  await close();
});

test("what_goes_wrong_is_told_and_shown_and_can_be_mended", async () => {
  const { page, run, status, heard, close } = await openPage(DEMO.replace("models/mini/", "models/nowhere/"));
  await run();
  await status(/A file could not be fetched\. .*semcot\.json could not be fetched from .*models\/nowhere\/semcot\.json/);
  const [[type, { code }]] = (await heard()).slice(-1);
  assert.deepEqual([type, code], ["error", "network"]);
  await page.evaluate(`document.querySelector("semcot-demo").src = "models/mini/"`);
  await run();
  await status(/sooner/);
  await page.locator("semcot-demo #question").fill(" ");
  await run();
  await status(/question/);
  assert.equal((await heard()).at(-1)[1].code, "bad-input");
  await page.evaluate(`document.querySelector("semcot-demo").removeAttribute("src")`);
  await run();
  await status(/names no model: give it a src/);
  await close();
});

test("without_webgpu_it_says_so_as_soon_as_it_is_seen", async () => {
  const hide = (/** @type {import("playwright-core").Page} */ page) => page.addInitScript(`Object.defineProperty(Navigator.prototype, "gpu", { value: undefined });`);
  const { status, close } = await openPage(DEMO, { prepare: hide });
  await status(/no WebGPU/);
  await close();
});

test("it_is_used_by_keyboard_alone_and_escape_stops_it", async () => {
  const { page, status, close } = await openPage(DEMO, { fake: true });
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(`document.activeElement.shadowRoot.activeElement.id`), "question");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("SLOWLY please");
  await page.keyboard.press("Enter");
  await page.locator("semcot-demo [data-mode=implicit][aria-busy=true]").waitFor();
  await page.keyboard.press("Escape");
  await status(/^Stopped\.$/);
  await page.keyboard.press("Control+A");
  await page.keyboard.type("five and four");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(`document.activeElement.shadowRoot.activeElement.id`), "run");
  await page.keyboard.press("Enter");
  await status(/and both say 9\.$/);
  await close();
});

test("it_works_in_a_frame_and_on_a_page_at_another_depth", async () => {
  const frame = `<iframe title="A demonstration" src="/deep/er/inner.html" style="width: 800px; height: 500px"></iframe>`;
  const inner = `<!doctype html><html lang="ko"><title>Inner</title><script type="module" src="../../www/element.js"></script><semcot-demo device="gpu" src="../../models/mini/" question="${QUESTION}"></semcot-demo>`;
  const prepare = (/** @type {import("playwright-core").Page} */ page) => page.route("**/deep/er/inner.html", (route) => route.fulfill({ body: inner, contentType: "text/html" }));
  const { page, consoleErrors, close } = await openPage(frame, { prepare, policy: "" });
  const demo = page.frameLocator("iframe").locator("semcot-demo");
  await demo.locator("#run").click();
  await demo.locator(".status:has-text('9')").waitFor({ timeout: 60_000 });
  assert.match(await demo.locator("label").innerText(), /문장제/, "in the language of what it stands in");
  assert.deepEqual(consoleErrors, []);
  await close();
});

test("a_page_changes_its_looks_by_properties_and_parts_and_by_its_colour_scheme", async () => {
  const style = `<style>
    semcot-demo { --semcot-accent: rgb(1, 2, 3); --semcot-radius: 0; }
    semcot-demo::part(answer) { color: rgb(4, 5, 6); }
    .dark { color-scheme: dark; }
  </style>`;
  const { page, close } = await openPage(`${DEMO}<div class="dark">${DEMO}</div>`, { policy: "", head: style, colorScheme: "dark" });
  const of = (/** @type {number} */ nth, /** @type {string} */ selector, /** @type {string} */ property) =>
    page.locator("semcot-demo").nth(nth).evaluate((demo, [selector, property]) => {
      const element = selector === "" ? demo : /** @type {Element} */ (demo.shadowRoot?.querySelector(selector));
      return getComputedStyle(element).getPropertyValue(property);
    }, [selector, property]);
  assert.equal(await of(0, "#run", "background-color"), "rgb(1, 2, 3)");
  assert.equal(await of(0, "", "border-radius"), "0px");
  assert.equal(await of(0, ".answer", "color"), "rgb(4, 5, 6)");
  assert.equal(await of(0, "", "background-color"), "rgb(255, 255, 255)", "light on a page that knows only light");
  assert.equal(await of(1, "", "background-color"), "rgb(28, 34, 38)");
  await close();
});

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const language of ["en", "ko"]) {
    test(`axe_finds_nothing_serious_in_any_state_in_${colorScheme}_${language}_and_nothing_moves_or_is_cut_off`, async () => {
      const demo = DEMO.replace("<semcot-demo", `<semcot-demo lang="${language}" modes="implicit explicit direct"`);
      const head = `<style>:root { color-scheme: light dark; } body { margin: 0; }</style>`;
      const { page, run, close } = await openPage(demo, { fake: true, colorScheme, policy: "", head, viewport: { width: 360, height: 800 } });
      const height = () => page.locator("semcot-demo").evaluate((it) => it.getBoundingClientRect().height);
      const states = {
        idle: () => page.locator("semcot-demo #run").waitFor(),
        answered: async () => {
          const before = await height();
          await run();
          await page.locator("semcot-demo [data-right=true] .verdict").nth(2).waitFor();
          await page.locator("semcot-demo #run:visible").waitFor();
          assert.ok(Math.abs((await height()) - before) <= 48, `it grew from ${before} to ${await height()}`);
        },
        trouble: async () => {
          await page.locator("semcot-demo #question").fill("LOSE the device");
          await run();
          await page.locator("semcot-demo [data-trouble]").waitFor();
        },
      };
      for (const [state, reach] of Object.entries(states)) {
        await reach();
        assert.deepEqual(await serious(page), [], state);
        const [content, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(content <= shown, `${state}: ${content} wide in ${shown}`);
      }
      await close();
    });
  }
}

test("the_module_can_be_imported_where_there_are_no_elements", async () => {
  const { SemCoTDemo } = await import("../../www/element.js");
  assert.equal(typeof SemCoTDemo, "function");
});

test("worker_and_wasm_may_lie_elsewhere", async () => {
  /** @type {string[]} */
  const urls = [];
  const elsewhere = 'device="cpu" worker-url="www/worker.js?mine" wasm-url="www/pkg/semcot_bg.wasm?mine" cpu-wasm-url="www/pkg/semcot_cpu_bg.wasm?mine"';
  const prepare = async (/** @type {import("playwright-core").Page} */ page) => void page.on("request", (request) => urls.push(request.url()));
  const { run, status, consoleErrors, close } = await openPage(DEMO.replace('device="gpu"', elsewhere), { prepare });
  await run();
  await status(/answered [\d.]+× sooner/);
  const names = urls.filter((url) => /\/worker\.js|\.wasm/.test(url)).map((url) => url.slice(url.lastIndexOf("/") + 1));
  assert.deepEqual([...new Set(names)].sort(), ["semcot_cpu_bg.wasm?mine", "worker.js?mine"]);
  assert.deepEqual(consoleErrors, []);
  await close();
});
