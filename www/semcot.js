// @ts-check
/// <reference lib="esnext.disposable" preserve="true" />
// The JavaScript interface: load a pair, ask it, compare its ways of answering. Its types are in
// `interface.js`; the page uses nothing else.
//
//   const engine = await SemCoT.load("models/mini/", { onProgress: console.log });
//   const run = engine.ask("Mia has 5 apples. She buys 3 more and gives 2 to Tom. How many apples does she have now?", { mode: "explicit" });
//   for await (const piece of run) show(piece);
//   const { answer, ms } = await run;
//   await engine.dispose();

import { SemCoTError } from "./errors.js";
import { kept, modelUrl } from "./kept.js";
import { LastingHost } from "./lasting.js";
import { Run } from "./run.js";
import { findSupport } from "./support.js";

/** @import { Answer, AskOptions, Bench, BenchOptions, CompareOptions, ComparedRun, Comparison, ForwardOptions, GenerateOptions, Generated, Info, InspectOptions, Inspection, LoadOptions, Mode, Piece, Problem, ProblemOptions } from "./interface.js" */

export { Run, SemCoTError };
export * from "./interface.js";

/** The modes in the order that they are shown and run. */
export const MODES = /** @type {readonly Mode[]} */ (["implicit", "explicit", "direct"]);

/** A loaded model. */
export class SemCoT {
  /**
   * The models that earlier loads have kept in this browser.
   * @readonly @type {typeof import("./kept.js").kept}
   */
  static cache = kept;
  /** @type {LastingHost} */
  #host;

  /**
   * Use [`SemCoT.load`].
   * @param {LastingHost} host
   */
  constructor(host) {
    this.#host = host;
  }

  /**
   * Whether models can be run in this browser, and what is missing.
   * @returns {Promise<import("./support.js").Support>}
   */
  static isSupported() {
    return findSupport();
  }

  /**
   * Loads a model folder (one with a semcot.json), or a single GGUF model for `generate`, `forward` and
   * `bench`; of a split one, name any of its files. Whether the model can run on this device is found out from the
   * files' headers, before their weights are fetched.
   *
   * By URL, relative to the page: the files are kept, as far as the browser gives room, and a later load
   * fetches only what is missing or changed. Or from the visitor's own files, which are read where they lie
   * and copied nowhere: a File, a FileList (of an `<input>`, with `webkitdirectory` too), a folder's handle.
   * @param {string | URL | Blob | Iterable<File> | FileSystemDirectoryHandle} model
   * @param {LoadOptions} [options]
   * @returns {Promise<SemCoT>}
   */
  static async load(model, { signal, onProgress, worker, workerUrl, wasmUrl, cpuWasmUrl, ...settings } = {}) {
    try {
      const named = typeof model === "string" || model instanceof URL;
      const order = {
        model: named ? modelUrl(model) : await filesIn(model),
        settings: { ...settings, wasmUrl: absolute(wasmUrl), cpuWasmUrl: absolute(cpuWasmUrl) },
        place: { worker, workerUrl: absolute(workerUrl), device: settings.device },
        onProgress,
      };
      return new SemCoT(await LastingHost.load(order, signal));
    } catch (error) {
      throw SemCoTError.from(error);
    }
  }

  /**
   * What is loaded and what it runs on.
   * @returns {Info}
   */
  get info() {
    return this.#host.info;
  }

  /**
   * Answers a question. Several runs queue in order. When the graphics device is lost, the run under way
   * fails with `device-lost`, and the next one finds the model loaded again.
   * @param {string} question
   * @param {AskOptions} [options]
   * @returns {Run<Piece, Answer>}
   */
  ask(question, { signal, ...options } = {}) {
    return new Run((onEvent) => this.#host.call("ask", [question, options], { signal, onEvent }));
  }

  /**
   * Times the modes on one question: one warm-up run of each that is not counted, then rounds in which
   * the modes take turns, so that a slow moment of the machine meets all alike. Iterated, it gives every
   * measured run.
   * @param {string} question
   * @param {CompareOptions} [options]
   * @returns {Run<ComparedRun, Comparison>}
   */
  compare(question, { signal, repeats = 5, modes = MODES, ...options } = {}) {
    let done = 0;
    return new Run((onPiece) => {
      const onEvent = (/** @type {Answer} */ answer) => onPiece({ answer, done: ++done, total: repeats * modes.length });
      return this.#host.call("compare", [question, { ...options, repeats, modes }], { signal, onEvent });
    });
  }

  /**
   * Looks inside the implicit tokens of a question: their lengths, the words nearest to them, how alike they
   * are, and which of a bank of reasonings they read most like. Never part of an answer's time.
   * @param {string} question
   * @param {InspectOptions & { signal?: AbortSignal, onEmbedded?: (done: number) => void }} [options]
   * @returns {Promise<Inspection>}
   */
  inspect(question, { signal, onEmbedded, ...options } = {}) {
    return this.#host.call("inspect", [question, options], { signal, onEvent: onEmbedded });
  }

  /**
   * The embedding of a text, or of several, by the folder's sentence transformer: what alignment compares.
   * @template {string | readonly string[]} T
   * @param {T} texts of up to 256 tokens
   * @param {{ signal?: AbortSignal, onEmbedded?: (done: number) => void }} [options]
   * @returns {Promise<T extends string ? Float32Array : Float32Array[]>}
   */
  async embed(texts, { signal, onEmbedded } = {}) {
    const list = typeof texts === "string" ? [texts] : texts;
    const embeddings = await this.#host.call("embed", [list], { signal, onEvent: onEmbedded });
    return typeof texts === "string" ? embeddings[0] : embeddings;
  }

  /**
   * Goes on with a text, or with token ids as they are; of a single file's model. Before a text comes the
   * begin token where the model's metadata asks for one. Iterated, it gives the parts of the text.
   * @param {string | readonly number[]} prompt
   * @param {GenerateOptions} [options]
   * @returns {Run<string, Generated>}
   */
  generate(prompt, { signal, ...options } = {}) {
    return new Run((onEvent) => this.#host.call("generate", [prompt, options], { signal, onEvent }));
  }

  /**
   * The values of one forward pass of a single file's model, row after row: what `semcot logits` prints,
   * and states on the way there. The ids are fed as they are, without a begin token.
   * @param {readonly number[]} ids
   * @param {ForwardOptions} [options]
   * @returns {Promise<Float32Array>}
   */
  forward(ids, { signal, ...options } = {}) {
    return this.#host.call("forward", [ids, options], { signal });
  }

  /**
   * Times prefill and decode of a single file's model, or of a folder's target, and counts what they submit.
   * @param {BenchOptions} [options]
   * @returns {Promise<Bench>}
   */
  bench({ signal, ...options } = {}) {
    return this.#host.call("bench", [options], { signal });
  }

  /**
   * Word problems of a built-in family, with their truth.
   * @param {ProblemOptions} options
   * @returns {Promise<Problem[]>}
   */
  problems({ signal, ...options }) {
    return this.#host.call("problems", [options], { signal });
  }

  /** @returns {Promise<number>} the wasm's linear memory in bytes: its high-water mark */
  wasmMemoryBytes() {
    return this.#host.call("wasmMemoryBytes", []);
  }

  /**
   * Stops what runs, with `AbortError`, and gives device memory, worker and wasm back.
   * @returns {Promise<void>}
   */
  async dispose() {
    this.#host.close();
  }

  /** For `await using`, in browsers that have it; in others it is no more than a method of another name. */
  async [Symbol.asyncDispose]() {
    await this.dispose();
  }
}

/**
 * @param {string | URL | undefined} url relative to the page
 * @returns {string | undefined}
 */
function absolute(url) {
  return url === undefined ? undefined : new URL(url, document.baseURI).href;
}

/**
 * @param {Blob | Iterable<File> | FileSystemDirectoryHandle} given
 * @returns {Promise<Blob[]>}
 */
async function filesIn(given) {
  if (given instanceof Blob) return [given];
  if (Symbol.iterator in given) return [...given];
  const files = [];
  for await (const entry of given.values()) {
    if (entry.kind === "file") files.push(await /** @type {FileSystemFileHandle} */ (entry).getFile());
  }
  return files;
}
