// Models from the visitor's own files: read where they lie, checked, copied nowhere.

import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startHarness } from "./harness.mjs";
import { beforeTheWorker, openLoadPage } from "./load-page.mjs";
import { folderFiles, splitFolderFiles } from "./model-server.mjs";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
const scratch = mkdtempSync(join(tmpdir(), "semcot-given-"));
/** Paths of the files of folders on the disk. */
const folder = written("whole", folderFiles());
const split = written("split", splitFolderFiles());
before(async () => (harness = await startHarness()));
after(async () => {
  await harness.stop();
  rmSync(scratch, { recursive: true });
});

/**
 * @param {string} name
 * @param {Map<string, Buffer>} files
 */
function written(name, files) {
  mkdirSync(join(scratch, name));
  for (const [file, bytes] of files) writeFileSync(join(scratch, name, file), bytes);
  return (/** @type {string} */ file) => join(scratch, name, file);
}

/** In the worker: remembers the largest piece of a Blob that was ever read. */
const WATCH_READS = `{
  const { arrayBuffer } = Blob.prototype;
  globalThis.largestRead = 0;
  Blob.prototype.arrayBuffer = function () {
    globalThis.largestRead = Math.max(globalThis.largestRead, this.size);
    return arrayBuffer.call(this);
  };
}`;

/** A page on which files are chosen as a visitor does it; `files` is the list of them. */
async function openPage() {
  const opened = await openLoadPage(harness, (page) => beforeTheWorker(page, WATCH_READS));
  const choose = async (/** @type {string[]} */ paths) => {
    await opened.page.evaluate(`{
      document.body.innerHTML = "<input type=file multiple>";
      globalThis.files = document.querySelector("input").files;
    }`);
    await opened.page.setInputFiles("input", paths);
    await opened.page.evaluate(`{ globalThis.files = document.querySelector("input").files; }`);
  };
  return { ...opened, choose };
}

test("the_files_of_a_folder_load_in_slices_and_are_copied_nowhere", async () => {
  const { page, choose, load, close } = await openPage();
  await choose(["semcot.json", "generator.gguf", "target.gguf"].map(folder));
  const { error, progress, storage, last, wasmBytes } = await load("files");
  assert.equal(error, null);
  assert.deepEqual(storage, { kind: "local", reason: null });
  assert.equal(last.cached, true);
  const phases = [...new Set(progress.map((step) => step.phase))];
  assert.deepEqual(phases, ["verify", "upload", "compile", "ready"]);
  assert.ok(progress.every((step) => step.loadedBytes <= step.totalBytes && step.totalBytes === last.totalBytes));
  assert.ok(last.totalBytes > 13_000_000);
  assert.ok(wasmBytes <= 64e6, `${wasmBytes} bytes`);
  const kept = await page.evaluate(`(async () => {
    const names = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
    return names;
  })()`);
  assert.deepEqual(kept, []);

  const largest = await page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    return SemCoT.load(files, { device: "gpu" }).then(() => {});
  })()`).then(() => page.workers().at(-1)?.evaluate("largestRead"));
  assert.ok(Number(largest) > 0 && Number(largest) <= 4 << 20, `${largest} bytes were read at once`);
  await close();
});

test("a_single_file_and_a_split_model_load_from_given_files", async () => {
  const { choose, load, close } = await openPage();
  await choose([folder("target.gguf")]);
  assert.equal((await load("files[0]")).error, null);
  assert.equal((await load("new Blob([files[0]])")).error, null, "what has no name");

  const halves = [1, 2].map((index) => split(`target-0000${index}-of-00002.gguf`));
  await choose([...halves, split("generator.gguf"), split("semcot.json")]);
  const whole = await load("files");
  assert.equal(whole.error, null);
  assert.match(whole.name, /./);
  await choose([halves[1], halves[0]]);
  assert.equal((await load("[...files]")).error, null);
  await choose([halves[1]]);
  const { error } = await load("files");
  assert.equal(error?.code, "bad-input");
  assert.match(error?.message ?? "", /target-00001-of-00002\.gguf is not among the files given/);
  await close();
});

test("given_files_that_are_not_the_manifests_are_refused", async () => {
  const { choose, load, close } = await openPage();
  await choose([folder("semcot.json"), folder("target.gguf")]);
  const missing = await load("files");
  assert.equal(missing.error?.code, "bad-input");
  assert.match(missing.error?.message ?? "", /generator\.gguf, which semcot\.json names, is not among the files given/);

  const other = written("other", folderFiles(2));
  await choose([folder("semcot.json"), folder("generator.gguf"), other("target.gguf")]);
  const damaged = await load("files");
  assert.equal(damaged.error?.code, "integrity");
  assert.match(damaged.error?.message ?? "", /target\.gguf is damaged or another file/);

  appendFileSync(other("generator.gguf"), "x");
  await choose([folder("semcot.json"), other("generator.gguf"), folder("target.gguf")]);
  const longer = await load("files");
  assert.equal(longer.error?.code, "integrity");
  assert.match(longer.error?.message ?? "", /generator\.gguf should have \d+ bytes and has \d+/);
  await close();
});

test("a_given_file_that_changes_is_said_and_loading_it_can_be_aborted", async () => {
  const { choose, load, close } = await openPage();
  const changing = written("changing", folderFiles());
  await choose(["semcot.json", "generator.gguf", "target.gguf"].map(changing));
  const aborted = await load("files", { abortAtBytes: 1_000_000 });
  assert.equal(aborted.error?.name, "AbortError");
  appendFileSync(changing("target.gguf"), "x");
  const { error } = await load("files");
  assert.equal(error?.code, "network");
  assert.match(error?.message ?? "", /^target\.gguf cannot be read any more .+ Choose it again\.$/);
  await close();
});

test("a_folder_loads_by_its_handle", async () => {
  const { load, close } = await openPage();
  const { error, storage } = await load(`await (async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("mine", { create: true });
    for (const name of ["semcot.json", "target.gguf", "generator.gguf"]) {
      const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await writable.write(await (await fetch("/models/mini/" + name)).blob());
      await writable.close();
    }
    return folder;
  })()`);
  assert.equal(error, null);
  assert.equal(storage.kind, "local");
  await close();
});
