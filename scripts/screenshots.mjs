// `npm run screenshots`: pictures of the answering page for the README and for looking at, into
// docs/screenshots: desktop and phone, light and dark, English and Korean, with the real engine; and of
// what is inside the implicit tokens, of another model and of the docs, of which half of these show all
// there is to see. `--only docs` takes those of another model and of the docs alone.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { launchChromium } from "./browsers.mjs";
import { buildPage } from "./build.mjs";
import { ROOT, readOptions, runMain } from "./commands.mjs";
import { startServer } from "./serve.mjs";

const VIEWPORTS = { desktop: { width: 1366, height: 768 }, phone: { width: 360, height: 740 } };

await runMain(async () => {
  const { only } = readOptions(["only"]);
  await buildPage();
  const folder = join(ROOT, "docs", "screenshots");
  mkdirSync(folder, { recursive: true });
  const server = await startServer({ port: 0 });
  const browser = await launchChromium();
  try {
    for (const [name, viewport] of Object.entries(VIEWPORTS)) {
      for (const [colorScheme, language] of /** @type {const} */ ([["light", "en"], ["dark", "en"], ["light", "ko"], ["dark", "ko"]])) {
        const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
        const page = await context.newPage();
        await page.goto(`${server.url}?lang=${language}`);
        await page.locator("#ask-button:enabled").waitFor({ timeout: 120_000 });
        const path = join(folder, `${name}-${colorScheme}${language === "en" ? "" : `-${language}`}.png`);
        const isShownInAll = colorScheme === "light" ? language === "en" : language === "ko";
        if (only === "docs") {
          if (isShownInAll) await ownAndDocs(page, path, server.url);
          await context.close();
          continue;
        }
        await page.click("#repeat-button");
        await page.locator("#timing[data-measured=true]").waitFor({ timeout: 300_000 });
        await page.evaluate(() => scrollTo(0, 0));
        await page.screenshot({ path, fullPage: name === "phone" });
        console.log(path);
        if (isShownInAll) {
          await inside(page, path.replace(/\.png$/, "-inside.png"));
          await ownAndDocs(page, path, server.url);
        }
        await context.close();
      }
    }
  } finally {
    await browser.close();
    await server.close();
  }
});

/**
 * The implicit tokens of the question that was asked, and of many.
 * @param {import("playwright-core").Page} page
 * @param {string} path
 */
async function inside(page, path) {
  await page.click("#look summary");
  await page.locator("#look-result[data-empty=false][aria-busy=false]").waitFor({ timeout: 120_000 });
  await page.selectOption("#map-what", "3");
  await page.selectOption("#map-colour", "answer");
  await page.click("#map-start");
  await page.locator("#map-cancel:visible").waitFor();
  await page.locator("#map-cancel").waitFor({ state: "hidden", timeout: 300_000 });
  await page.locator("#look").screenshot({ path });
  console.log(path);
}

/**
 * The panel for another model, with a question to the visitor and what is kept; and the docs, answered.
 * @param {import("playwright-core").Page} page
 * @param {string} path of the page's own picture
 * @param {string} url
 */
async function ownAndDocs(page, path, url) {
  const named = (/** @type {string} */ what) => path.replace(/\.png$/, `-${what}.png`);
  await page.fill("#own-address", "owner/model-GGUF");
  await page.click("#own-load");
  await page.click("#kept summary");
  await page.locator("#kept-rows tr").first().waitFor();
  await page.locator("#own").screenshot({ path: named("own") });
  console.log(named("own"));
  await page.goto(`${url}docs/`);
  const demo = page.locator("semcot-demo");
  const done = page.evaluate(() => new Promise((resolve) => document.querySelector("semcot-demo")?.addEventListener("done", () => resolve(null))));
  await demo.getByRole("button").first().click();
  await done;
  await demo.evaluate((element) => element.scrollIntoView({ block: "center" }));
  await page.screenshot({ path: named("docs") });
  console.log(named("docs"));
}
