// How soon the built page can be used: rounds of a first visit (nothing kept), and a second one in the same
// browser, by the page's own marks. A question is asked the moment that it can be.

import { cpus, loadavg } from "node:os";
import { buildWeighedSite } from "./build.mjs";
import { startServer } from "./serve.mjs";

/** What is reported, in milliseconds from the beginning of the navigation, in order. */
const MARKS = ["interactive", "load", "download", "verify", "upload", "compile", "ready", "answer"];

/**
 * @param {import("playwright-core").Browser} browser
 * @param {number} rounds
 */
export async function measureStartup(browser, rounds) {
  await buildWeighedSite();
  const { DIST, SERVED } = await import("./site.mjs");
  const server = await startServer({ port: 0, root: DIST, served: SERVED });
  const before = loadavg();
  /** @type {{ cold: Record<string, number>, warm: Record<string, number> }[]} */
  const runs = [];
  try {
    // The browser's own start is nobody's wait.
    await visitTwice(browser, server.url);
    while (runs.length < rounds) runs.push(await visitTwice(browser, server.url));
  } finally {
    await server.close();
  }
  return {
    rounds,
    processors: cpus().length,
    load_average_1_minute: { before: before[0], after: loadavg()[0] },
    cold: mediansOf(runs.map((run) => run.cold)),
    warm: mediansOf(runs.map((run) => run.warm)),
    runs,
  };
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 */
async function visitTwice(browser, url) {
  const context = await browser.newContext();
  await context.addInitScript(askAtOnce);
  const cold = await visit(context, url);
  const warm = await visit(context, url);
  await context.close();
  return { cold, warm };
}

/**
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} url
 */
async function visit(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  await page.locator("#headline-text.result").waitFor({ timeout: 120_000 });
  const marks = await page.evaluate(() => performance.getEntriesByType("mark").map(({ name, startTime }) => [name, startTime]));
  const answer = await page.textContent("#lane-implicit .verdict");
  if (answer !== "✓ right") throw new Error(`the first answer is: ${answer}`);
  await page.evaluate(async () => void (await navigator.serviceWorker.ready));
  await page.close();
  // The first of each name: a phase's beginning.
  return Object.fromEntries(marks.reverse().map(([name, ms]) => [String(name).replace("semcot ", ""), Number(ms)]));
}

/** In the page: presses the button as soon as it lets itself be pressed. */
function askAtOnce() {
  const watcher = new MutationObserver(() => {
    const button = /** @type {HTMLButtonElement | null} */ (document.querySelector("#ask-button"));
    if (button === null || button.disabled) return;
    watcher.disconnect();
    button.click();
  });
  watcher.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["disabled"] });
}

/** @param {Record<string, number>[]} runs */
function mediansOf(runs) {
  const names = MARKS.filter((name) => runs.some((run) => run[name] !== undefined));
  return Object.fromEntries(names.map((name) => {
    const times = runs.flatMap((run) => (run[name] === undefined ? [] : [run[name]])).sort((a, b) => a - b);
    return [name, { median: times[times.length >> 1], low: times[0], high: times[times.length - 1] }];
  }));
}
