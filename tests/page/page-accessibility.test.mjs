// The page for everyone: axe-core's rules on every state of it, and motion for those who want none.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { ask, startHarness, untilReady } from "./harness.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

/**
 * What axe-core finds serious, and how many rules it could check.
 * @param {import("playwright-core").Page} page
 */
async function serious(page) {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { violations, passes } = await /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ["violations", "passes"] });
    const found = violations.filter((/** @type {any} */ it) => ["serious", "critical"].includes(it.impact));
    return {
      passes: passes.length,
      found: found.map((/** @type {any} */ it) => `${it.id}: ${it.nodes.map((/** @type {any} */ node) => `${node.target} ${node.failureSummary}`).join("; ")}`),
    };
  });
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  for (const language of ["en", "ko"]) {
    test(`axe_finds_nothing_serious_loading_answered_measured_and_in_trouble_in_${colorScheme}_${language}`, async () => {
      const { page, close } = await harness.open({ fake: true, colorScheme, query: `?lang=${language}` });
      const states = {
        ready: () => untilReady(page),
        answered: () => ask(page),
        wrong: async () => {
          await page.click("[data-text=balloons]");
          await ask(page);
        },
        measured: async () => {
          await page.click("#repeat-button");
          await page.locator("#timing[data-measured=true]").waitFor();
        },
        batch: async () => {
          await page.fill("#batch-count", "3");
          await page.click("[data-text=batchOwnTitle]");
          await page.click("#batch-start");
          await page.locator("#batch-result:visible").waitFor();
          await page.locator("#batch-start:enabled").waitFor();
        },
        trouble: async () => {
          await page.fill("#question", "LOSE the device");
          await page.click("#ask-button");
          await page.locator("#trouble:visible").waitFor();
        },
      };
      for (const [state, reach] of Object.entries(states)) {
        await reach();
        const { found, passes } = await serious(page);
        assert.ok(passes > 20, `${passes} rules checked`);
        assert.deepEqual(found, [], state);
      }
      await close();
    });
  }
}

test("nothing_moves_by_itself_where_motion_is_unwanted", async () => {
  const { page, close } = await harness.open({ fake: true });
  await page.emulateMedia({ reducedMotion: "reduce" });
  await untilReady(page);
  await ask(page);
  const moving = () => page.evaluate(() => [...document.querySelectorAll("*")].filter((element) => {
    const { animationName, transitionDuration } = getComputedStyle(element);
    return animationName !== "none" || transitionDuration.split(",").some((duration) => Number.parseFloat(duration) > 0);
  }).length);
  assert.equal(await moving(), 0);
  await page.emulateMedia({ reducedMotion: "no-preference" });
  assert.ok((await moving()) > 0, "otherwise something moves");
  await close();
});
