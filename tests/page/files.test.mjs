// Model files on the way to the engine: fetched by ranges, kept, resumed, checked.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { startHarness } from "./harness.mjs";
import { WELL, startModelServer } from "./model-server.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
/** @type {Awaited<ReturnType<typeof startModelServer>>} */ let server;
before(async () => {
  [harness, server] = await Promise.all([startHarness(), startModelServer()]);
});
after(async () => {
  await harness.stop();
  await server.stop();
});
beforeEach(() => {
  Object.assign(server.behavior, WELL);
  server.requests.length = 0;
});

/**
 * A page with an empty cache, in which `load(url, options)` gives what became of a load.
 * @param {(page: import("playwright-core").Page) => Promise<void>} [prepare]
 */
async function openPage(prepare) {
  const opened = await harness.open({ query: "MODEL_CARD.md", prepare });
  const load = (url = server.url, { abortAtBytes = Infinity } = {}) => {
    server.requests.length = 0;
    return opened.page.evaluate(`(async () => {
      const { SemCoT } = await import("/www/semcot.js");
      const progress = [];
      const controller = new AbortController();
      const onProgress = (step) => {
        progress.push(step);
        if (step.phase === "download" && step.loadedBytes >= ${abortAtBytes}) controller.abort();
      };
      try {
        const engine = await SemCoT.load("${url}", { onProgress, signal: controller.signal });
        const { storage } = engine.info;
        await engine.dispose();
        return { progress, storage, last: progress.at(-1), error: null };
      } catch ({ name, code, message }) {
        return { progress, last: progress.at(-1), error: { name, code, message } };
      }
    })()`);
  };
  return { ...opened, load };
}

test("a_file_comes_in_ranges_a_few_at_a_time_and_the_next_load_fetches_no_body", async () => {
  const { load, close } = await openPage();
  const first = await load();
  assert.equal(first.error, null);
  assert.equal(first.storage.kind, "opfs", first.storage.reason);
  assert.equal(first.last.cached, false);
  assert.equal(server.requests.filter(({ path }) => path === "/target.gguf").length, 4);
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
  const fetched = server.requests.filter(({ path }) => path === "/target.gguf").length;
  assert.ok(fetched < 4, `${fetched} of 4 chunks were fetched again`);
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
  assert.deepEqual(server.requests, [{ path: "/target.gguf", range: `bytes=${4 << 20}-${(8 << 20) - 1}` }]);
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
  const { load, close } = await openPage((page) =>
    page.route("**/www/worker.js", async (route) => {
      const body = await (await route.fetch()).text();
      await route.fulfill({ body: `${script}\n${body}`, contentType: "text/javascript" });
    }),
  );
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
  await page.evaluate(`import("/www/semcot.js").then(({ SemCoT }) => SemCoT.clearCache())`);
  server.requests.length = 0;
  const cached = await page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const one = async () => {
      let cached;
      const engine = await SemCoT.load("${server.url}", { onProgress: (step) => (cached = step.cached) });
      await engine.dispose();
      return cached;
    };
    return Promise.all([one(), one()]);
  })()`);
  assert.deepEqual(cached.sort(), [false, true]);
  assert.equal(server.requests.filter(({ path }) => path === "/target.gguf").length, 4);
  await close();
});
