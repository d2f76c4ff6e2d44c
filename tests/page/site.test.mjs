// The built site on the plainest of servers: from a sub-path, under a strict policy, and without any
// network on the second visit; what a new version of it does to those who have an earlier one.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launchChromium } from "../../scripts/browsers.mjs";
import { ROOT } from "../../scripts/commands.mjs";
import { buildSite } from "../../scripts/site.mjs";
import { ask, isKept, readLane, untilReady, untilTrue } from "./harness.mjs";
import { startPlainServer } from "./plain-server.mjs";

const scratch = mkdtempSync(join(tmpdir(), "semcot-site-"));
const [first, second] = ["first", "second"].map((name) => join(scratch, name));
/** Of the second version, which differs in a module. */
const NEW_TITLE = "Another version";
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Map<string, import("../../scripts/site.mjs").SiteFile>} */ let files;

before(async () => {
  files = buildSite({ into: first });
  buildSite({
    into: second,
    read: (path) => {
      const content = readFileSync(join(ROOT, path));
      return path === "www/strings/en.js" ? Buffer.from(content.toString().replace(/documentTitle: ".*"/, `documentTitle: "${NEW_TITLE}"`)) : content;
    },
  });
  browser = await launchChromium();
});
after(async () => {
  await browser.close();
  rmSync(scratch, { recursive: true });
});

/** A server of the first version, and a browser that has never been there. */
async function visit() {
  const server = await startPlainServer(first);
  const context = await browser.newContext({ locale: "en-US" });
  /** @type {string[]} */
  const errors = [];
  /** @type {string[]} */
  const outside = [];
  context.on("request", (request) => {
    if (!request.url().startsWith(server.url)) outside.push(request.url());
  });
  const open = async (query = "", script = "") => {
    const page = await context.newPage();
    await page.addInitScript(script);
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(server.url + query);
    return page;
  };
  const close = async () => {
    await context.close();
    await server.stop();
  };
  return { server, open, errors, outside, close };
}

/** Whether a store of the browser holds a version of the site. */
const ofSite = (/** @type {string} */ name) => name.startsWith("semcot-site ");

/**
 * Waits until a version is kept whole.
 * @param {import("playwright-core").Page} page
 */
function untilKept(page) {
  return untilTrue(page, isKept);
}

test("the_site_answers_from_a_sub_path_under_a_strict_policy_and_then_without_its_server", async () => {
  const { server, open, errors, outside, close } = await visit();
  const page = await open();
  await untilReady(page);
  await ask(page);
  assert.equal((await readLane(page, "implicit")).verdict, "✓ right");
  await untilKept(page);

  await server.stop();
  const asked = server.requests.length;
  await page.reload();
  await untilReady(page);
  await ask(page);
  assert.equal((await readLane(page, "explicit")).verdict, "✓ right");
  assert.equal(page.workers().length, 1, "the engine runs in a worker");
  const other = await open("?lang=ko");
  assert.equal(await other.getAttribute("html", "lang"), "ko");
  assert.equal(server.requests.length, asked, "nothing was asked of the server");
  assert.deepEqual(errors, []);
  assert.deepEqual(outside, []);
  await close();
});

test("a_new_version_comes_whole_takes_over_and_leaves_nothing_of_the_old", async () => {
  const { server, open, errors, close } = await visit();
  const page = await open();
  await untilReady(page);
  await untilKept(page);

  server.state.folder = second;
  server.requests.length = 0;
  await page.reload();
  await untilReady(page);
  assert.equal(await page.title(), NEW_TITLE, "with a network the newest version is shown");
  const named = await page.evaluate(() => performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname.replace(/.*\/path\//, "")));
  const old = new Set([...files.values()].map(({ name }) => name));
  assert.ok(named.some((name) => /strings\/en-/.test(name) && !old.has(name)), named.join(" "));
  // The new one waits for the page that the old one controls.
  await untilTrue(page, async () => (await navigator.serviceWorker.getRegistration())?.waiting?.state === "installed");
  assert.equal((await page.evaluate(() => caches.keys())).filter(ofSite).length, 2);
  await page.close();

  assert.deepEqual(errors, []);
  // A page beside the site, which no version controls, and which is not there.
  const beside = await open("../beside");
  await untilTrue(beside, async () => (await caches.keys()).filter((name) => name.startsWith("semcot-site ")).length === 1);
  errors.length = 0;
  const next = await open();
  await untilReady(next);
  await server.stop();
  await next.reload();
  assert.equal(await next.title(), NEW_TITLE);
  await untilReady(next);
  assert.deepEqual(errors, []);
  await close();
});

test("a_server_that_is_in_the_middle_of_an_update_gives_no_version_to_keep", async () => {
  const { server, open, close } = await visit();
  server.state.alter = (path, bytes) => (path.endsWith("/semcot.json") ? Buffer.concat([bytes, Buffer.from("\n")]) : bytes);
  const page = await open("?", `navigator.serviceWorker.register = new Proxy(navigator.serviceWorker.register, {
    apply: async (register, container, args) => {
      const registration = await register.apply(container, args);
      globalThis.tried = true;
      return registration;
    },
  });`);
  await untilReady(page);
  await untilTrue(page, async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    return /** @type {any} */ (globalThis).tried === true && registration === undefined && !(await caches.keys()).some((name) => name.startsWith("semcot-site "));
  });
  await ask(page);
  await close();
});

test("another_page_imports_the_engine_by_an_address_that_stays", async () => {
  const { server, open, errors, close } = await visit();
  const page = await open("docs/hosting.html");
  const answer = await page.evaluate(async (url) => {
    const { SemCoT } = await import(`${url}semcot.js`);
    const engine = await SemCoT.load(`${url}models/mini/`);
    const { answer } = await engine.ask("Maria has 12 apples. She gives 5 apples to Tom. How many apples does Maria have now?");
    await engine.dispose();
    return answer;
  }, server.url);
  assert.equal(answer, "7");
  await page.evaluate(async (url) => {
    await import(`${url}semcot-demo.js`);
    const demo = document.createElement("semcot-demo");
    demo.setAttribute("src", `${url}models/mini/`);
    demo.setAttribute("question", "Maria has 12 apples. She gives 5 apples to Tom. How many apples does Maria have now?");
    document.body.append(demo);
    const done = new Promise((resolve, reject) => {
      demo.addEventListener("done", resolve);
      demo.addEventListener("error", (event) => reject(/** @type {CustomEvent} */ (event).detail));
    });
    demo.shadowRoot?.querySelector("form")?.requestSubmit();
    await done;
  }, server.url);
  assert.deepEqual(errors, []);
  await close();
});

test("every_file_but_pages_is_named_by_its_contents_and_all_addresses_are_relative", () => {
  for (const [path, { name, content }] of files) {
    if (/\.(html|md)$/.test(path) || /^semcot(-demo)?\.js$/.test(path)) assert.equal(name, path);
    else assert.match(name, /-[0-9a-f]{12}\.\w+$/);
    if (/\.(html|js)$/.test(path)) assert.doesNotMatch(content.toString(), /(href|src|from|import)\s*[=(]?\s*["'](\/|https?:\/\/(localhost|127))/, path);
  }
  assert.ok(files.size > 40, `${files.size} files`);
});
