// SemCoT.cache: what earlier loads have kept, listed, measured and removed.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { startHarness } from "./harness.mjs";
import { beforeTheWorker, openLoadPage } from "./load-page.mjs";
import { folderFiles, startModelServer } from "./model-server.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
/** @type {Awaited<ReturnType<typeof startModelServer>>} */ let server;
before(async () => {
  server = await startModelServer();
  harness = await startHarness();
});
after(async () => {
  await harness.stop();
  await server.stop();
});
beforeEach(() => server.reset());

/** A page with an empty cache; `cache(call)` gives what a call of `SemCoT.cache` gives. */
async function openPage() {
  const opened = await openLoadPage(harness);
  return {
    ...opened,
    load: (/** @type {string} */ url, options = {}) => opened.load(JSON.stringify(url), options),
    cache: (/** @type {string} */ call) => opened.page.evaluate(`import("/www/semcot.js").then(({ SemCoT: { cache } }) => cache.${call})`),
  };
}

test("nothing_is_kept_before_the_first_load", async () => {
  const { cache, close } = await openPage();
  assert.deepEqual(await cache("list()"), []);
  assert.equal(await cache(`has("models/mini/")`), false);
  assert.equal(await cache(`delete("models/mini/")`), false);
  assert.equal((await cache("estimate()")).modelBytes, 0);
  await cache("clear()");
  await close();
});

test("a_loaded_model_is_listed_with_its_files_and_removed_alone", async () => {
  const { cache, load, close } = await openPage();
  const before = Date.now();
  assert.equal((await load(`${server.url}split`)).error, null);
  assert.equal((await load("/models/mini/")).error, null);
  const [mini, split] = await cache("list()");
  assert.deepEqual([mini.url, split.url], [`${harness.url}models/mini/`, `${server.url}split/`], "the last used first");
  assert.deepEqual(split.files.map((/** @type {any} */ file) => file.name).sort(), [
    "generator.gguf", "target-00001-of-00002.gguf", "target-00002-of-00002.gguf",
  ]);
  for (const model of [mini, split]) {
    assert.equal(model.complete, true);
    assert.equal(model.storedBytes, model.bytes);
    assert.ok(model.usedAt >= before && model.usedAt <= Date.now());
  }
  const { modelBytes, quotaBytes, usageBytes } = await cache("estimate()");
  assert.equal(modelBytes, mini.bytes + split.bytes);
  assert.ok(usageBytes >= modelBytes && quotaBytes > usageBytes);

  // By an address relative to the page, with and without the slash.
  assert.equal(await cache(`has(new URL("/models/mini", location.href))`), true);
  assert.equal(await cache(`delete("/models/mini")`), true);
  assert.equal(await cache(`has("/models/mini/")`), false);
  assert.deepEqual((await cache("list()")).map((/** @type {any} */ it) => it.url), [`${server.url}split/`]);
  assert.equal((await load("/models/mini/")).last.cached, false);
  await close();
});

test("a_single_file_is_a_model_of_its_own_whichever_of_its_shards_is_named", async () => {
  const { cache, load, close } = await openPage();
  assert.equal((await load(`${server.url}split/target-00002-of-00002.gguf#top`)).error, null);
  const [model] = await cache("list()");
  assert.equal(model.url, `${server.url}split/target-00001-of-00002.gguf`);
  assert.equal(model.files.length, 2);
  for (const index of [1, 2]) assert.equal(await cache(`has("${server.url}split/target-0000${index}-of-00002.gguf")`), true);
  assert.equal(await cache(`has("${server.url}split/")`), false, "the folder was not loaded");
  await close();
});

test("a_model_is_half_kept_after_an_abort_and_can_be_looked_at_while_it_comes", async () => {
  const { cache, load, page, close } = await openPage();
  server.behavior.pauseMs = 20;
  assert.equal((await load(server.url, { abortAtBytes: 9_000_000 })).error?.code, "aborted");
  const [model] = await cache("list()");
  assert.equal(model.complete, false);
  assert.ok(model.storedBytes > 0 && model.storedBytes < model.bytes, `${model.storedBytes} of ${model.bytes}`);
  const size = folderFiles().get("target.gguf")?.length;
  assert.equal(model.files.find((/** @type {any} */ file) => file.name === "target.gguf").bytes, size);
  assert.equal(await cache(`has("${server.url}")`), false);

  const looks = await page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const looks = [];
    let looking = Promise.resolve();
    const onProgress = () => (looking = looking.then(async () => looks.push((await SemCoT.cache.list())[0])));
    const engine = await SemCoT.load("${server.url}", { device: "gpu", onProgress });
    await looking;
    await engine.dispose();
    return looks;
  })()`);
  const stored = looks.map((/** @type {any} */ look) => look.storedBytes);
  assert.deepEqual(stored, stored.toSorted((/** @type {number} */ a, /** @type {number} */ b) => a - b), "it only grows");
  assert.equal(looks.at(-1).complete, true);
  await close();
});

test("a_removal_waits_for_the_load_of_that_model_and_can_be_given_up", async () => {
  const { page, close } = await openPage();
  server.behavior.pauseMs = 20;
  const { order, aborted, left } = await page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const order = [];
    let aborted, removal;
    const onProgress = ({ loadedBytes }) => {
      if (loadedBytes < 5e6 || removal) return;
      const signal = AbortSignal.timeout(1);
      aborted = SemCoT.cache.delete("${server.url}", { signal }).then(() => null, ({ code }) => code);
      removal = SemCoT.cache.delete("${server.url}").then(() => order.push("removed"));
    };
    const engine = await SemCoT.load("${server.url}", { device: "gpu", onProgress });
    order.push("loaded");
    await removal;
    await engine.dispose();
    return { order, aborted: await aborted, left: await SemCoT.cache.list() };
  })()`);
  assert.deepEqual(order.toSorted(), ["loaded", "removed"]);
  assert.equal(aborted, "aborted");
  assert.deepEqual(left, []);
  await close();
});

test("all_is_removed_with_files_that_say_nothing_of_themselves", async () => {
  const { page, cache, load, close } = await openPage();
  assert.equal((await load("/models/mini/")).error, null);
  const count = `(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("semcot-models");
    return (await Array.fromAsync(folder.keys())).length;
  })()`;
  await page.evaluate(`(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("semcot-models");
    const writable = await (await folder.getFileHandle("of-an-earlier-layout", { create: true })).createWritable();
    await writable.write("whatever");
    await writable.close();
  })()`);
  assert.equal((await cache("list()")).length, 1);
  assert.equal(await page.evaluate(count), 3);
  await cache("clear()");
  assert.equal(await page.evaluate(count), 0);
  await close();
});

test("what_is_no_address_is_refused", async () => {
  const { page, close } = await openPage();
  const codes = await page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const code = (promise) => promise.then(() => null, ({ code }) => code);
    return [await code(SemCoT.cache.has("http://")), await code(SemCoT.cache.delete("http://")), await code(SemCoT.load("http://", { device: "gpu" }))];
  })()`);
  assert.deepEqual(codes, ["bad-input", "bad-input", "bad-input"]);
  await close();
});

test("without_room_on_the_disk_and_in_memory_the_load_ends_with_quota", async () => {
  // A browser puts large Blobs on the disk: with a full one they cannot be read again.
  const full = `{
    FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException("full", "QuotaExceededError"); };
    Blob.prototype.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"));
  }`;
  const { load, close } = await openLoadPage(harness, (page) => beforeTheWorker(page, full));
  const { error } = await load(`"/models/mini/"`);
  assert.equal(error?.code, "quota", error?.message);
  assert.match(error?.message ?? "", /no room for (target|generator)\.gguf.*SemCoT\.cache\.delete/);
  await close();
});
