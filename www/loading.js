// @ts-check
// A load under way, up to the point where the engine takes over: which files there are, whether the
// model can run here at all, and then the files themselves, all at once.

import { holdFiles } from "./cache.js";
import { LANES, RemoteFile } from "./download.js";
import { SemCoTError } from "./errors.js";
import { filesAmong, filesAt } from "./files.js";
import { LocalFile } from "./local.js";
import { Lanes } from "./ranges.js";

/** @typedef {import("./pkg/semcot.js")} Wasm */
/** @typedef {import("./semcot.js").Progress} Progress */
/** @typedef {import("./sources.js").ByteSource} ByteSource */
/** @typedef {import("./sources.js").ModelSource} ModelSource */

/**
 * What concerns the device.
 * @typedef {{ wakeReadBacks: boolean, kv: "f16" | "f32" | undefined, kernels: import("./semcot.js").KernelSettings | undefined }} DeviceOptions
 */

export class Loading {
  /** Text of semcot.json; null of a single model. */
  manifest;
  /** The files of the target, or of a single model, for the engine to read. */
  target;
  /** Those of the generator; none of a single model. */
  generator;
  #found;
  #wasm;
  #sources;
  #emit;
  #release;
  /** Ends everything under way with the first failure, and keeps it: the wasm hands on only its text. */
  #failure;

  /**
   * Use [`Loading.open`].
   * @param {Wasm} wasm
   * @param {import("./files.js").Found} found
   * @param {ModelSource[]} sources
   * @param {(progress: Progress) => void} emit
   * @param {() => void} release
   * @param {AbortController} failure
   */
  constructor(wasm, found, sources, emit, release, failure) {
    const readable = sources.map((source) => watched(source, failure));
    this.manifest = found.manifest;
    this.target = readable.slice(0, found.target.length);
    this.generator = readable.slice(found.target.length);
    this.#found = found;
    this.#wasm = wasm;
    this.#sources = sources;
    this.#emit = emit;
    this.#release = release;
    this.#failure = failure;
  }

  /**
   * Finds the files and waits until nobody else brings them.
   * @param {string | readonly Blob[] | import("./files.js").Found} model an absolute URL, files that were
   *   given, or the files of an earlier load
   * @param {Wasm} wasm
   * @param {import("./engine.js").Call<Progress>} call
   * @returns {Promise<Loading>}
   */
  static async open(model, wasm, call) {
    const found = await findFiles(model, wasm, call.signal);
    return Loading.#of(found, found, wasm, call);
  }

  /**
   * The same of a model's sentence transformer, in place of the target.
   * @param {import("./files.js").Found} found
   * @param {Wasm} wasm
   * @param {import("./engine.js").Call<Progress>} call
   * @returns {Promise<Loading>}
   */
  static openSentenceTransformer(found, wasm, call) {
    return Loading.#of({ ...found, target: found.sentenceTransformer, generator: [] }, found, wasm, call);
  }

  /**
   * @param {import("./files.js").Found} found
   * @param {import("./files.js").Found} whole what answers need: kept files are counted against it
   * @param {Wasm} wasm
   * @param {import("./engine.js").Call<Progress>} call
   * @returns {Promise<Loading>}
   */
  static async #of(found, whole, wasm, { signal, emit }) {
    const files = [...found.target, ...found.generator];
    const release = await holdFiles(files.flatMap((file) => ("url" in file ? [file.url] : [])), signal);
    const failure = new AbortController();
    const stop = AbortSignal.any([signal, failure.signal]);
    const lanes = new Lanes(LANES);
    /** @type {ModelSource[]} */
    const sources = [];
    const loading = () => new Loading(wasm, found, sources, emit, release, failure);
    try {
      const purpose = { model: found.url, files: whole.target.length + whole.generator.length };
      for (const file of files) sources.push("url" in file ? await RemoteFile.open(file, purpose, stop, lanes) : new LocalFile(file, stop));
    } catch (error) {
      loading().close();
      throw error;
    }
    return loading();
  }

  /**
   * Brings all files, after their headers have shown that the model can run here, and checks them.
   * @param {DeviceOptions | null} options none: it is known that it can
   */
  async bring(options) {
    const onProgress = () => {
      const phase = this.#sources.some((source) => source.phase === "download") ? "download" : "verify";
      this.report(phase, this.#sources.reduce((bytes, source) => bytes + source.loadedBytes, 0));
    };
    /** @type {Promise<void>[]} */
    let all = [];
    try {
      for (const source of this.#sources) await source.findKept(onProgress);
      if (options !== null) await this.#wasm.preflight(this.target, this.generator, options);
      all = this.#sources.map((source) => source.complete(() => new this.#wasm.Sha256Stream(), onProgress));
      await Promise.all(all);
    } catch (error) {
      throw this.endedBy(error);
    } finally {
      // What still goes on after a failure ends before anything is closed.
      await Promise.allSettled(all);
    }
    this.report("verify");
  }

  /**
   * Tells of a phase.
   * @param {Progress["phase"]} phase
   * @param {number} [loadedBytes] of all files together; all unless told
   */
  report(phase, loadedBytes) {
    const { totalBytes } = this;
    const cached = this.#sources.every((source) => source.cached);
    this.#emit({ phase, loadedBytes: loadedBytes ?? totalBytes, totalBytes, cached, storage: this.storage.kind });
  }

  /** Of all files together; 0 where a server does not say. */
  get totalBytes() {
    // NaN there.
    return this.#sources.reduce((bytes, source) => bytes + source.byteLength, 0) || 0;
  }

  /** The files with all that is known of them by now, for another load. */
  get files() {
    const known = this.#sources.map((source) => source.known);
    const { url, manifest, target, sentenceTransformer } = this.#found;
    return { url, manifest, target: known.slice(0, target.length), generator: known.slice(target.length), sentenceTransformer };
  }

  /** Where the files are kept: the worst of them. */
  get storage() {
    const inMemory = this.#sources.find(({ storage }) => storage.kind === "memory");
    return (inMemory ?? this.#sources[0]).storage;
  }

  /**
   * Ends what is under way; gives the failure that came first.
   * @param {unknown} error
   * @returns {SemCoTError}
   */
  endedBy(error) {
    this.#failure.abort(error);
    return SemCoTError.from(this.#failure.signal.reason);
  }

  /** Lets go of the files. */
  close() {
    for (const source of this.#sources) source.close();
    this.#release();
  }
}

/**
 * @param {string | readonly Blob[] | import("./files.js").Found} model
 * @param {Wasm} wasm
 * @param {AbortSignal} signal
 * @returns {Promise<import("./files.js").Found>}
 */
async function findFiles(model, wasm, signal) {
  if (typeof model === "string") return filesAt(model, wasm, signal);
  return "target" in model ? model : filesAmong(model, wasm);
}

/**
 * What the wasm reads a file through.
 * @param {ModelSource} source
 * @param {AbortController} failure
 * @returns {ByteSource}
 */
function watched(source, failure) {
  return {
    name: source.name,
    get byteLength() {
      return source.byteLength;
    },
    read: (offset, length) =>
      source.read(offset, length).catch((error) => {
        failure.abort(error);
        throw error;
      }),
  };
}
