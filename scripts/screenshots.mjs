// `npm run screenshots`: pictures of every view, for the README and for looking at, into docs/screenshots: at the
// width of a laptop and of a phone, light and dark, in English and Korean, with the real engine. What is
// English only (the docs) has no Korean ones. `--only batch,docs-api` takes some of the views.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launchChromium } from "./browsers.mjs";
import { buildPage } from "./build.mjs";
import { ROOT, Trouble, readOptions, runMain } from "./commands.mjs";
import { PAGES } from "./docs.mjs";
import { startServer } from "./serve.mjs";

/** @typedef {import("playwright-core").Page} Page */

const FOLDER = join(ROOT, "docs", "screenshots");
const VIEWPORTS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const SCHEMES = /** @type {const} */ (["light", "dark"]);
/** Of 0 to 100: text stays sharp, and all pictures together are small enough for a repository. */
const QUALITY = 72;
const PATIENCE = { timeout: 300_000 };
const QUESTION = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";

/**
 * Brings a page to a view, and gives the selector of what is taken, from the page's top where `fromTop`; null:
 * what fits the window.
 * @typedef {(page: Page) => Promise<{ selector: string, fromTop?: boolean } | null>} View
 */

/** Views of the answering page, each reached from the one before. @type {Record<string, View>} */
const VIEWS = {
  answer: async (page) => {
    await page.click("#repeat-button");
    await page.locator("#timing[data-measured=true]").waitFor(PATIENCE);
    await page.locator("#ask-button:enabled").waitFor(PATIENCE);
    return { selector: ".timing", fromTop: true };
  },
  about: async (page) => {
    if (await page.isVisible("#webgpu summary")) await page.click("#webgpu summary");
    return { selector: ".about" };
  },
  inside: async (page) => {
    await page.click("#look summary");
    await page.locator("#look-result[data-empty=false][aria-busy=false]").waitFor(PATIENCE);
    await page.selectOption("#map-what", "3");
    await page.selectOption("#map-colour", "answer");
    await page.click("#map-start");
    await page.locator("#map-result:visible").waitFor(PATIENCE);
    await page.locator("#map-start:enabled").waitFor(PATIENCE);
    return { selector: "#look" };
  },
  batch: async (page) => {
    await page.fill("#batch-count", "25");
    await page.click("#batch-start");
    await page.locator("#batch-result:visible").waitFor(PATIENCE);
    await page.locator("#batch-start:enabled").waitFor(PATIENCE);
    return { selector: "#batch" };
  },
  own: async (page) => {
    await page.fill("#own-address", "owner/model-GGUF");
    await page.click("#own-load");
    await page.click("#kept summary");
    await page.locator("#kept-rows tr").first().waitFor();
    return { selector: "#own" };
  },
};

await runMain(async () => {
  const { only } = readOptions(["only"]);
  const docs = PAGES.map(({ file }) => `docs-${file.replace(".html", "")}`);
  const all = [...Object.keys(VIEWS), "element", ...docs];
  const wanted = only === undefined ? all : String(only).split(",");
  const unknown = wanted.find((name) => !all.includes(name));
  if (unknown) throw new Trouble(`no view ${unknown}; there are ${all.join(", ")}`);
  await buildPage();
  mkdirSync(FOLDER, { recursive: true });
  const server = await startServer({ port: 0 });
  const browser = await launchChromium();
  try {
    for (const [device, viewport] of Object.entries(VIEWPORTS)) {
      for (const colorScheme of SCHEMES) {
        for (const language of ["en", "ko"]) {
          const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce", locale: language });
          const page = await context.newPage();
          const named = (/** @type {string} */ view) => `${view}-${device}-${colorScheme}${language === "en" ? "" : `-${language}`}`;
          if (wanted.some((name) => name in VIEWS)) {
            await page.goto(`${server.url}?lang=${language}`);
            await page.locator("#ask-button:enabled").waitFor(PATIENCE);
          }
          for (const [name, view] of Object.entries(VIEWS)) if (wanted.includes(name)) await take(page, named(name), await view(page));
          if (wanted.includes("element")) await takeElement(page, named("element"), server.url, language);
          if (language === "en") for (const name of docs) if (wanted.includes(name)) await takeDocs(page, named(name), server.url, name);
          await context.close();
        }
      }
    }
  } finally {
    await browser.close();
    await server.close();
  }
});

/**
 * The element in a page of somebody else, once it has answered.
 * @param {Page} page
 * @param {string} name
 * @param {string} url
 * @param {string} language
 */
async function takeElement(page, name, url, language) {
  const html = `<!doctype html><html lang="${language}"><head><meta charset="utf-8"><title>Somebody's page</title><meta name="viewport" content="width=device-width">
    <style>:root { color-scheme: light dark; } body { max-inline-size: 60rem; margin: 1.5rem auto; padding-inline: 1rem; font-family: Georgia, serif; }</style>
    <script type="module" src="www/element.js"></script></head><body>
    <p>${language === "ko" ? "이 글은 다른 사람의 페이지입니다." : "This is a page of somebody else."}</p>
    <semcot-demo src="models/mini/" modes="implicit explicit direct" question="${QUESTION}" answer="9"></semcot-demo></body></html>`;
  await page.route("**/somebody.html", (route) => route.fulfill({ body: html, contentType: "text/html" }));
  await page.goto(`${url}somebody.html`);
  await answered(page);
  await take(page, name, { selector: "body", fromTop: true });
}

/**
 * A page of the docs, at its demonstration where it has one.
 * @param {Page} page
 * @param {string} name
 * @param {string} url
 * @param {string} view
 */
async function takeDocs(page, name, url, view) {
  await page.goto(`${url}docs/${view.replace("docs-", "")}.html`);
  const demo = page.locator("semcot-demo");
  if ((await demo.count()) > 0) {
    await answered(page);
    await demo.evaluate((element) => element.scrollIntoView({ block: "center" }));
  }
  await take(page, name, null);
}

/** @param {Page} page */
async function answered(page) {
  const done = page.evaluate(() => new Promise((resolve) => document.querySelector("semcot-demo")?.addEventListener("done", () => resolve(null))));
  await page.locator("semcot-demo").getByRole("button").first().click();
  await done;
}

/**
 * Writes what is to be seen as a file; fails where the page is wider than its window.
 * @param {Page} page
 * @param {string} name
 * @param {Awaited<ReturnType<View>>} what
 */
async function take(page, name, what) {
  const box = await page.evaluate((what) => {
    const { scrollX: left, scrollY: top, innerWidth: width, innerHeight: height } = window;
    const tooWide = document.documentElement.scrollWidth - width;
    if (what === null) return { tooWide, x: left, y: top, width, height };
    const { x, y, width: own, height: tall } = /** @type {Element} */ (document.querySelector(what.selector)).getBoundingClientRect();
    if (what.fromTop) return { tooWide, x: 0, y: 0, width, height: Math.ceil(y + top + tall + 16) };
    return { tooWide, x: x + left, y: y + top, width: own, height: Math.ceil(tall) };
  }, what);
  if (box.tooWide > 0) throw new Trouble(`${name}: the page is ${box.tooWide} pixels wider than its window.`);
  const session = await page.context().newCDPSession(page);
  const { tooWide, ...clip } = box;
  // Playwright itself writes no WebP.
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: QUALITY, captureBeyondViewport: true, clip: { ...clip, scale: 1 } });
  await session.detach();
  const path = join(FOLDER, `${name}.webp`);
  writeFileSync(path, Buffer.from(data, "base64"));
  console.log(path);
}
