// The page for everyone: axe-core's rules on every state of it, and motion for those who want none.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, serious, startHarness, untilReady } from "./harness.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

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
        inside: async () => {
          await page.click("#look summary");
          await page.locator("#look-result[data-empty=false][aria-busy=false]").waitFor();
          await page.fill("#map-count", "12");
          await page.click("#map-start");
          await page.locator("#map-result:visible").waitFor();
          await page.locator("#map-start:enabled").waitFor();
          await page.focus("#map-plot");
          await page.keyboard.press("ArrowRight");
        },
        trouble: async () => {
          await page.fill("#question", "LOSE the device");
          await page.click("#ask-button");
          await page.locator("#trouble:visible").waitFor();
        },
      };
      for (const [state, reach] of Object.entries(states)) {
        await reach();
        assert.deepEqual(await serious(page), [], state);
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
