// The examples, each installed from the packed package by its own lock file, built, and used in headless
// Chromium.

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "../../scripts/browsers.mjs";
import { run } from "../../scripts/commands.mjs";
import { startServer } from "../../scripts/serve.mjs";
import { installedExample, packed } from "./project.mjs";

/** @type {Awaited<ReturnType<typeof packed>>} */ let pack;
/** @type {import("playwright-core").Browser} */ let browser;
/** What a failed test leaves open would keep the tests from ending. @type {(() => Promise<void>)[]} */
const servers = [];
before(async () => {
  [pack, browser] = await Promise.all([packed(), launchChromium()]);
});
after(async () => {
  await browser?.close();
  for (const stop of servers) await stop();
  rmSync(pack.folder, { recursive: true });
});

/**
 * Opens what a plain file server makes of a folder.
 * @param {string} root
 * @param {string[]} served
 * @param {string} [query]
 */
async function open(root, served, query = "") {
  const server = await startServer({ port: 0, root, served });
  servers.push(server.close);
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } });
  const page = await context.newPage();
  /** @type {string[]} */
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(server.url + query);
  return { page, errors, close: () => context.close() };
}

/**
 * @param {string} name
 * @returns {Promise<Awaited<ReturnType<typeof open>>>}
 */
async function openBuilt(name) {
  const project = await installedExample(pack, name);
  await run("npm", ["run", "build", "--loglevel=error"], { cwd: project });
  return open(join(project, "dist"), ["index.html", "assets", "models"]);
}

test("vanilla_without_a_build_the_machine_knows_a_problem_that_nobody_trained_on", async () => {
  const project = await installedExample(pack, "vanilla");
  const { page, errors, close } = await open(project, ["index.html", "main.js", "style.css", "node_modules"], "?seed=7");
  await page.locator("#answer:enabled").waitFor({ timeout: 60_000 });
  await page.fill("#own", "1000");
  await page.click("#answer");
  await page.locator("#next:enabled").waitFor();
  const [, truth, answer] = (await page.innerText("#status")).match(/^It is (\d+)\. You said 1000; the machine said (\d+) after \d+ ms\.$/) ?? [];
  assert.equal(answer, truth);
  assert.ok(truth !== undefined, await page.innerText("#status"));
  const scores = await page.locator("dd").allInnerTexts();
  assert.deepEqual(scores, ["0", "1", "1"]);
  await page.click("#next");
  await page.locator("#answer:enabled").waitFor();
  assert.deepEqual(errors, []);
  await close();
});

test("vite_answers_a_list_of_problems_and_gives_them_as_csv", async () => {
  const { page, errors, close } = await openBuilt("vite");
  await page.click("#answer");
  await page.locator("#save:visible").waitFor({ timeout: 60_000 });
  assert.deepEqual(await page.locator("tbody td:nth-child(2)").allInnerTexts(), ["9", "7", "yes"]);
  assert.equal(page.workers().length, 1);
  const csv = await page.evaluate(`fetch(document.querySelector("#save").href).then((response) => response.text())`);
  assert.match(csv, /^"problem","answer","milliseconds"\r\n"Maria has 12 apples\..*","9","[\d.]+"\r\n/);
  assert.deepEqual(errors, []);
  await close();
});

test("react_streams_written_reasoning_beside_the_implicit_answer_and_shows_what_is_kept", async () => {
  const { page, errors, close } = await openBuilt("react");
  await page.click("text=Ask");
  await page.locator("[data-mode=explicit] strong").waitFor({ timeout: 60_000 });
  assert.deepEqual(await page.locator("section strong").allInnerTexts(), ["9", "9"]);
  assert.match(await page.innerText("[data-mode=explicit] .reasoning"), /12 - 5 = 7/);
  await page.click("summary");
  await page.locator("pre:has-text('models/mini/: 1.0 MB')").waitFor();
  await page.click("text=Remove");
  await page.locator("pre:has-text('Nothing is kept.')").waitFor();
  assert.deepEqual(errors, []);
  await close();
});
