// Model files on the way to the engine: fetched by ranges, kept, resumed, checked.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { startHarness } from "./harness.mjs";
import { beforeTheWorker, openLoadPage } from "./load-page.mjs";
import { startModelServer } from "./model-server.mjs";

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

/**
 * A page with an empty cache, in which `load(url, options)` gives what became of a load.
 * @param {(page: import("playwright-core").Page) => Promise<void>} [prepare]
 */
async function openPage(prepare) {
  const opened = await openLoadPage(harness, prepare);
  const load = (url = server.url, options = {}) => {
    server.requests.length = 0;
    return opened.load(JSON.stringify(url), options);
  };
  return { ...opened, load };
}

test("a_file_comes_in_ranges_a_few_at_a_time_and_the_next_load_fetches_no_body", async () => {
  const { load, close } = await openPage();
  const first = await load();
  assert.equal(first.error, null);
  assert.equal(first.storage.kind, "opfs", first.storage.reason);
  assert.equal(first.last.cached, false);
  // The header, and four chunks, the first without it.
  assert.equal(server.requests.filter(({ path }) => path === "/target.gguf").length, 5);
  assert.ok(server.requests.every(({ range }) => range !== undefined));

  server.behavior.refused = true;
  const second = await load();
  assert.equal(second.error, null);
  assert.equal(second.last.cached, true);
  assert.deepEqual(server.requests, []);
  assert.ok(second.progress.every((/** @type {any} */ step) => step.phase !== "download"));
  await close();
});

test("a_connection_that_drops_midway_is_taken_up_where_it_ended", async () => {
  const { load, close } = await openPage();
  Object.assign(server.behavior, { drops: 3, pauseMs: 5 });
  const { error } = await load();
  assert.equal(error, null);
  assert.equal(server.behavior.drops, 0, "the server did drop");
  const begins = server.requests.map(({ range }) => Number(range?.match(/=(\d+)/)?.[1]));
  assert.ok(begins.some((begin) => begin % (4 << 20) > 0), "no request went on inside a chunk");
  await close();
});

test("a_server_that_never_answers_is_given_up", async () => {
  const { load, close } = await openPage();
  server.behavior.refused = true;
  const { error } = await load();
  assert.equal(error.code, "network");
  assert.match(error.message, /target\.gguf could not be fetched/);
  assert.equal(server.requests.length >= 5, true);
  await close();
});

test("a_server_without_ranges_is_read_in_one_stream_and_kept_too", async () => {
  const { load, close } = await openPage();
  Object.assign(server.behavior, { ranges: false, drops: 1 });
  const first = await load();
  assert.equal(first.error, null);
  assert.equal(first.storage.kind, "opfs");
  server.behavior.refused = true;
  assert.equal((await load()).error, null);
  await close();
});

test("an_aborted_download_goes_on_from_its_last_whole_chunk", async () => {
  const { load, close } = await openPage();
  server.behavior.pauseMs = 20;
  const aborted = await load(server.url, { abortAtBytes: 9_000_000 });
  assert.equal(aborted.error.name, "AbortError");
  const good = await load();
  assert.equal(good.error, null);
  // The header is read anew where the first chunk is not whole.
  const chunks = server.requests.filter(({ path, range }) => path === "/target.gguf" && range !== "bytes=0-65535");
  assert.ok(chunks.length < 4, `${chunks.length} of 4 chunks were fetched again`);
  assert.equal(good.progress[0].phase, "verify");
  await close();
});

test("a_changed_file_is_fetched_anew_by_digest_and_by_etag", async () => {
  const { load, close } = await openPage();
  for (const url of [server.url, `${server.url}target.gguf`]) {
    for (const version of [2, 3]) {
      server.behavior.version = version;
      const { error, last } = await load(url);
      assert.equal(error, null);
      assert.equal(last.cached, false, `${url} of version ${version}`);
    }
    assert.equal((await load(url)).last.cached, true);
  }
  await close();
});

test("a_chunk_that_comes_corrupted_is_refused_and_not_kept", async () => {
  const { load, close } = await openPage();
  server.behavior.corrupt = true;
  const { error } = await load();
  assert.equal(error.code, "integrity");
  assert.match(error.message, /target\.gguf is damaged/);
  server.behavior.corrupt = false;
  const good = await load();
  assert.equal(good.error, null);
  assert.equal(good.last.cached, false);
  await close();
});

test("a_chunk_that_is_damaged_in_the_cache_is_fetched_again_alone", async () => {
  const { page, load, close } = await openPage();
  assert.equal((await load()).error, null);
  await page.evaluate(`(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("semcot-models");
    for await (const file of folder.values()) {
      if ((await file.getFile()).size < 1e6) continue;
      const writable = await file.createWritable({ keepExistingData: true });
      await writable.write({ type: "write", position: 5_000_000, data: Uint8Array.of(77) });
      await writable.close();
    }
  })()`);
  const { error } = await load();
  assert.equal(error, null);
  assert.deepEqual(server.requests.map(({ path, range }) => [path, range]), [["/target.gguf", `bytes=${4 << 20}-${(8 << 20) - 1}`]]);
  await close();
});

test("a_full_disk_is_no_reason_to_fail_and_is_said", async () => {
  const script = `{
    const { write } = FileSystemSyncAccessHandle.prototype;
    let room = 400_000;
    FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
      room -= bytes.length;
      if (room < 0) throw new DOMException("full", "QuotaExceededError");
      return write.call(this, bytes, options);
    };
  }`;
  const { load, close } = await openPage((page) => beforeTheWorker(page, script));
  // The shipped pair: one of its two files has room.
  const { error, storage, last } = await load("/models/mini/");
  assert.equal(error, null);
  assert.equal(storage.kind, "memory");
  assert.match(storage.reason, /no more room/);
  assert.equal(last.storage, "memory");
  assert.equal((await load("/models/mini/")).last.cached, false);
  await close();
});

test("a_cleared_cache_holds_nothing_and_two_loads_at_once_fetch_once", async () => {
  const { page, load, close } = await openPage();
  assert.equal((await load()).error, null);
  await page.evaluate(`import("/www/semcot.js").then(({ SemCoT }) => SemCoT.cache.clear())`);
  server.requests.length = 0;
  const cached = await page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const one = async () => {
      let cached;
      const engine = await SemCoT.load("${server.url}", { device: "gpu", onProgress: (step) => (cached = step.cached) });
      await engine.dispose();
      return cached;
    };
    return Promise.all([one(), one()]);
  })()`);
  assert.deepEqual(cached.sort(), [false, true]);
  assert.equal(server.requests.filter(({ path }) => path === "/target.gguf").length, 5);
  await close();
});

test("no_more_than_four_requests_are_under_way_whatever_file_they_are_of", async () => {
  const { load, close } = await openPage();
  // Slow enough for all that may run at once to do so.
  server.behavior.pauseMs = 40;
  assert.equal((await load()).error, null);
  assert.equal(server.most.length, 4, server.most.join(" "));
  assert.equal(new Set(server.most).size, 2, "both files come at once");
  await close();
});

test("a_busy_server_is_asked_again_when_it_wants_to_be", async () => {
  const { load, close } = await openPage();
  Object.assign(server.behavior, { busy: 1, retryAfter: 2 });
  const { error } = await load();
  assert.equal(error, null);
  const [first, second] = server.requests;
  assert.ok(second.at - first.at >= 1900, `asked again after ${second.at - first.at} ms`);

  Object.assign(server.behavior, { busy: 1, retryAfter: 3600 });
  const refused = await load(`${server.url}split/`);
  assert.equal(refused.error?.code, "network");
  assert.match(refused.error?.message ?? "", /the server says 429, and asks to come back in 3600 seconds/);
  await close();
});

test("a_file_whose_size_the_server_does_not_say_loads_and_is_not_kept", async () => {
  const { load, close } = await openPage();
  Object.assign(server.behavior, { sizes: false, ranges: false });
  const { error, storage, last } = await load(`${server.url}target.gguf`);
  assert.equal(error, null);
  assert.equal(storage.kind, "memory");
  assert.match(storage.reason ?? "", /does not say how large/);
  assert.ok(last.totalBytes > 13_000_000, "the size is known at the end");
  await close();
});

test("an_adapter_too_small_is_refused_before_any_weight_is_fetched", async () => {
  const small = `Object.defineProperty(GPUSupportedLimits.prototype, "maxStorageBufferBindingSize", { get: () => 4096 });`;
  const { load, close } = await openPage((page) => beforeTheWorker(page, small));
  for (const url of [server.url, `${server.url}split/`, `${server.url}target.gguf`]) {
    const { error } = await load(url);
    assert.equal(error?.code, "limit-too-low", error?.message);
    assert.match(error?.message ?? "", /target.*\.gguf.* cannot run on this adapter: .+ needs \d+ bytes in one piece, \d+ more than its maxStorageBufferBindingSize of 4096/);
    // What `read_header` of the engine reads first.
    for (const { path, range } of server.requests) assert.match(range ?? "", /^bytes=0-(0|65535|\d{1,4}|[1-5]\d{4})$/, path);
    assert.ok(server.requests.length > 0, "the header was read");
  }
  await close();
});

test("a_file_that_is_no_model_is_refused_before_it_is_fetched", async () => {
  const { load, close } = await openPage();
  const { error } = await load(`${server.url}split/target-00002-of-00003.gguf`);
  assert.equal(error?.code, "network");
  assert.match(error?.message ?? "", /target-00001-of-00003\.gguf could not be fetched/);
  await close();
});

test("a_split_model_loads_from_its_folder_and_by_any_of_its_files", async () => {
  const { load, close } = await openPage();
  const folder = await load(`${server.url}split/`);
  assert.equal(folder.error, null);
  const paths = new Set(server.requests.map(({ path }) => path));
  assert.deepEqual([...paths].sort(), ["/split/generator.gguf", "/split/target-00001-of-00002.gguf", "/split/target-00002-of-00002.gguf"]);
  assert.equal(folder.progress.filter((step) => step.phase === "upload").at(-1).loadedBytes <= folder.last.totalBytes, true);

  for (const index of [1, 2]) {
    const { error, last } = await load(`${server.url}split/target-0000${index}-of-00002.gguf`);
    assert.equal(error, null);
    assert.equal(last.cached, index === 2, "the second name is of the same files");
  }
  await close();
});
