// One server and one browser for a file of page tests, and what they do again and again.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { launchChromium } from "../../scripts/browsers.mjs";
import { startServer } from "../../scripts/serve.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FAKE_ENGINE = readFileSync(fileURLToPath(new URL("./fake-engine.js", import.meta.url)), "utf8");

/** A manifest with the fields that the page's modules read themselves. */
const FAKE_MANIFEST = JSON.stringify({
  files: { target: { path: "target.gguf", bytes: 3000 }, generator: { path: "generator.gguf", bytes: 2000 }, sentence_transformer: { path: "sentence_transformer.gguf", bytes: 1000 } },
});

/**
 * @typedef {object} OpenOptions
 * @property {boolean} [fake] the fake engine and a fake model folder in place of the real ones
 * @property {import("playwright-core").ViewportSize} [viewport]
 * @property {"light" | "dark"} [colorScheme]
 * @property {string} [locale] the browser's language
 * @property {string} [query] after the page's address
 * @property {"auto" | "gpu" | "cpu"} [device] what the page is told to compute on: the GPU unless told, which
 *   is slow here, and what most tests are about
 * @property {(page: import("playwright-core").Page) => Promise<void>} [prepare] before the page is opened
 */

/**
 * @param {{ webGpu?: boolean }} [options]
 */
export async function startHarness(options = {}) {
  // Where there is no browser, no server is left that would keep the tests from ending.
  const browser = await launchChromium(options);
  const server = await startServer({ port: 0 });
  return {
    url: server.url,
    /** @param {OpenOptions} [options] */
    async open({ fake = false, viewport = { width: 1280, height: 800 }, colorScheme = "light", locale = "en-US", query = "", device = "gpu", prepare } = {}) {
      const context = await browser.newContext({ viewport, colorScheme, locale });
      const page = await context.newPage();
      /** @type {string[]} */
      const consoleErrors = [];
      page.on("console", (message) => message.type() === "error" && consoleErrors.push(message.text()));
      page.on("pageerror", (error) => consoleErrors.push(String(error)));
      if (fake) await routeFakes(page);
      await prepare?.(page);
      const address = new URL(server.url + query);
      if (address.pathname === "/") address.searchParams.set("device", device);
      await page.goto(address.href);
      return { page, consoleErrors, close: () => context.close() };
    },
    async stop() {
      await browser.close();
      await server.close();
    },
  };
}

/** @param {import("playwright-core").Page} page */
async function routeFakes(page) {
  await page.route("**/www/pkg/semcot.js", (route) => route.fulfill({ body: FAKE_ENGINE, contentType: "text/javascript" }));
  await page.route("**/models/mini/semcot.json", (route) => route.fulfill({ body: FAKE_MANIFEST, contentType: "application/json" }));
  await page.route("**/models/mini/target.gguf", (route) => route.fulfill({ body: Buffer.alloc(3000) }));
  await page.route("**/models/mini/generator.gguf", (route) => route.fulfill({ body: Buffer.alloc(2000) }));
  await page.route("**/models/mini/sentence_transformer.gguf", (route) => route.fulfill({ body: Buffer.alloc(1000) }));
}

/**
 * Waits until the engine is loaded and the page can be asked.
 * @param {import("playwright-core").Page} page
 */
export async function untilReady(page) {
  await page.locator("#ask-button:enabled").waitFor({ timeout: 60_000 });
}

/**
 * Waits until something is so in the page. Playwright's own `waitForFunction` takes a promise for a yes.
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<boolean>} condition
 */
export async function untilTrue(page, condition) {
  const end = Date.now() + 60_000;
  while (!(await page.evaluate(condition))) {
    if (Date.now() > end) throw new Error(`still not so: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * In a page of the built site: whether this version is kept whole, and what the CPU computes with, which
 * follows after the first load. These browsers have no graphics device.
 */
export async function isKept() {
  const registration = await navigator.serviceWorker.getRegistration();
  if (registration?.active?.state !== "activated") return false;
  const stores = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
  return stores.flat().some(({ url }) => url.includes("semcot_cpu_bg"));
}

/**
 * Asks a question and waits until all lanes have answered.
 * @param {import("playwright-core").Page} page
 * @param {string} [question] what stands in the box already unless told
 */
export async function ask(page, question) {
  if (question !== undefined) await page.fill("#question", question);
  await page.click("#ask-button");
  await page.locator("#headline-text.result").waitFor({ timeout: 60_000 });
}

/**
 * The trouble that the page shows, once it does.
 * @param {import("playwright-core").Page} page
 */
export async function trouble(page) {
  await page.locator("#trouble:visible").waitFor({ timeout: 60_000 });
  return { code: await page.getAttribute("#trouble", "data-code"), text: await page.innerText("#trouble") };
}

/**
 * What a lane shows.
 * @param {import("playwright-core").Page} page
 * @param {"implicit" | "explicit" | "direct"} mode
 */
export async function readLane(page, mode) {
  const lane = page.locator(`#lane-${mode}`);
  const text = async (/** @type {string} */ selector) => (await lane.locator(selector).textContent())?.trim() ?? "";
  return {
    answer: await text(".answer-value"),
    verdict: await text(".verdict"),
    time: await text(".time-value"),
    reasoning: await text(".stream"),
    tokens: Number(await text("[data-count=tokens]")),
    targetPasses: Number(await text("[data-count=targetPasses]")),
    generatorPasses: Number(await text("[data-count=generatorPasses]")),
    vectors: await lane.locator(".cell.arrived").count(),
  };
}

/**
 * What axe-core finds serious on the page as it is now.
 * @param {import("playwright-core").Page} page
 * @returns {Promise<string[]>}
 */
export async function serious(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations, passes } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ["violations", "passes"] });
    if (passes.length < 20) return [`only ${passes.length} rules were checked`];
    const found = violations.filter((/** @type {any} */ it) => ["serious", "critical"].includes(it.impact));
    return found.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  });
}
