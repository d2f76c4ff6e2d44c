// @ts-check
// The engine in this thread: loads the wasm and a model, answers one question after another.
// `worker.js` offers it across a worker's boundary and `semcot.js` falls back on it in the page; both
// have the same methods through it, and neither knows the wasm.

import { findAdapter } from "./adapter.js";
import { rememberTimes, rememberedTimes } from "./choices.js";
import { CPU, MOST_MEASURED_BYTES, chooseDevice, factsOf, probeMs } from "./device.js";
import { SemCoTError, throwIfAborted } from "./errors.js";
import { Loading } from "./loading.js";
import { startWasm } from "./wasm.js";

/** @typedef {import("./pkg/semcot.js")} Wasm */
/** @typedef {import("./pkg/semcot.js").Engine} Pair */
/** @typedef {import("./pkg/semcot.js").SingleModel} SingleModel */
/** @typedef {import("./semcot.js").Answer} Answer */
/** @typedef {import("./semcot.js").AskOptions} AskOptions */
/** @typedef {import("./semcot.js").Bench} Bench */
/** @typedef {import("./semcot.js").BenchOptions} BenchOptions */
/** @typedef {import("./semcot.js").CompareOptions} CompareOptions */
/** @typedef {import("./semcot.js").Comparison} Comparison */
/** @typedef {import("./semcot.js").ForwardOptions} ForwardOptions */
/** @typedef {import("./semcot.js").Generated} Generated */
/** @typedef {import("./semcot.js").GenerateOptions} GenerateOptions */
/** @typedef {import("./semcot.js").Info} Info */
/** @typedef {import("./semcot.js").Inspection} Inspection */
/** @typedef {import("./semcot.js").InspectOptions} InspectOptions */
/** @typedef {import("./semcot.js").Piece} Piece */
/** @typedef {import("./semcot.js").Problem} Problem */
/** @typedef {import("./semcot.js").ProblemOptions} ProblemOptions */
/** @typedef {import("./semcot.js").Progress} Progress */

/**
 * What of the options of `SemCoT.load` concerns the engine.
 * @typedef {import("./semcot.js").LoadSettings & { wasmUrl?: string, cpuWasmUrl?: string }} Settings
 */

/** The methods that cross a worker's boundary. Their last argument is what a [`Call`] brings. */
export const METHODS = /** @type {const} */ (["hasWebGpu", "load", "untilLost", "ask", "compare", "inspect", "embed", "generate", "forward", "bench", "problems", "wasmMemoryBytes", "dispose"]);

/**
 * One call of a method: how to stop it and where its news go.
 * @template [E=unknown]
 * @typedef {object} Call
 * @property {AbortSignal} signal
 * @property {(event: E) => void} emit
 */

/** A model on this thread's graphics device, or on the CPU. */
export class LocalEngine {
  /** A folder's pair, or a single file, which has no prompts to be asked by. @type {Pair | SingleModel | null} */
  #model = null;
  /** The end of the line of runs: each waits for the one before. */
  #line = Promise.resolve();
  #disposal = new AbortController();
  /** Where the sentence transformer is to be found, until it is loaded. @type {import("./files.js").Found | null} */
  #unloaded = null;
  /** Which of the wasm modules is at work. @type {import("./wasm.js").Device} */
  #device = "gpu";
  /** Ends what runs now. */
  #stop = this.#disposal.signal;

  /** Whether WebGPU can be used from this thread. */
  async hasWebGpu() {
    return (await findAdapter()) !== null;
  }

  /**
   * Loads a model folder or a single GGUF model: by URL, or from files that were given.
   * @param {string | readonly Blob[] | import("./files.js").Found} model an absolute URL, files, or those of
   *   an earlier load
   * @param {Settings} settings
   * @param {Call<Progress>} call
   * @returns {Promise<{ info: Info, files: import("./files.js").Found }>}
   */
  async load(model, settings, { signal, emit }) {
    const choice = await chooseDevice(settings);
    const urls = { gpu: settings.wasmUrl, cpu: settings.cpuWasmUrl };
    this.#device = choice.facts?.kind ?? "cpu";
    const wasm = await startWasm(this.#device, urls[this.#device]);
    throwIfAborted(signal);
    const wakeReadBacks = settings.readBack === undefined ? needsWaking() : settings.readBack === "wake";
    const options = { wakeReadBacks, kv: settings.kv, kernels: settings.kernels };
    const loading = await Loading.open(model, wasm, { signal, emit });
    try {
      await loading.bring(options);
      throwIfAborted(signal);
      this.#model = await this.#loadOn(wasm, loading, options, signal);
      this.#unloaded = loading.files;
      const facts = choice.facts ?? (await this.#faster(choice.adapter, loading, options, urls, signal));
      loading.report("compile");
      if ("ask" in this.#model) await this.#warmUp(signal);
      loading.report("ready");
      return { info: this.#info(facts, choice.adapter, loading, options), files: loading.files };
    } finally {
      loading.close();
    }
  }

  /**
   * Puts a model's files on the device of a wasm module.
   * @param {Wasm} wasm
   * @param {Loading} loading
   * @param {import("./loading.js").DeviceOptions} options
   * @param {AbortSignal} signal
   * @returns {Promise<Pair | SingleModel>}
   */
  async #loadOn(wasm, loading, options, signal) {
    const { manifest, target, generator } = loading;
    const onProgress = (/** @type {Progress["phase"]} */ phase, /** @type {number} */ bytes) => {
      loading.report(phase, bytes);
      return !signal.aborted;
    };
    const pause = async () => {
      await nextTask();
      return !this.#stop.aborted;
    };
    try {
      return manifest === null
        ? await wasm.SingleModel.load(target, options, onProgress, pause)
        : await wasm.Engine.load(manifest, target, generator, options, onProgress, pause);
    } catch (error) {
      throwIfAborted(signal);
      throw loading.endedBy(error);
    }
  }

  /**
   * Loads the model, which the CPU has, on a software adapter too, and keeps the faster of both; where an
   * earlier visit found the CPU faster, only that.
   * @param {import("./support.js").AdapterFacts} adapter
   * @param {Loading} loading
   * @param {import("./loading.js").DeviceOptions} options
   * @param {Record<import("./wasm.js").Device, string | undefined>} urls
   * @param {AbortSignal} signal
   * @returns {Promise<import("./device.js").DeviceFacts>}
   */
  async #faster(adapter, loading, options, urls, signal) {
    const onCpu = loaded(this.#model);
    if (loading.totalBytes > MOST_MEASURED_BYTES) return factsOf("cpu", adapter, "large");
    const known = await rememberedTimes(adapter, loading.totalBytes);
    if (known !== null && known.cpu <= known.gpu) return factsOf("cpu", adapter, "faster", known);
    const cpu = await probeMs(onCpu);
    const onGpu = await this.#loadOn(await startWasm("gpu", urls.gpu), loading, options, signal);
    const gpu = await probeMs(onGpu).finally(() => signal.aborted && onGpu.free());
    throwIfAborted(signal);
    await rememberTimes(adapter, loading.totalBytes, { cpu, gpu });
    this.#device = cpu <= gpu ? "cpu" : "gpu";
    this.#model = this.#device === "cpu" ? onCpu : onGpu;
    (this.#device === "cpu" ? onGpu : onCpu).free();
    return factsOf(this.#device, adapter, "faster", { cpu, gpu });
  }

  /**
   * @param {import("./device.js").DeviceFacts} device
   * @param {import("./support.js").AdapterFacts} adapter
   * @param {Loading} loading
   * @param {import("./loading.js").DeviceOptions} options
   * @returns {Info}
   */
  #info(device, adapter, loading, { wakeReadBacks }) {
    return {
      ...camelCase(loaded(this.#model).info()),
      device,
      adapter: device.kind === "cpu" ? CPU : adapter,
      readBack: wakeReadBacks ? "wake" : "await",
      storage: loading.storage,
    };
  }

  /**
   * Resolves with the reason when the device of the loaded model is lost.
   * @returns {Promise<string>}
   */
  async untilLost() {
    return loaded(this.#model).untilLost();
  }

  /**
   * Answers a question; pieces are emitted as they come. Runs wait for one another.
   * @param {string} question
   * @param {AskOptions} options
   * @param {Call<Piece>} call
   * @returns {Promise<Answer>}
   */
  ask(question, { mode = "implicit", implicitTokens, maxTokens, tokensPerSubmit }, { signal, emit }) {
    return this.#inLine(signal, async (model, stop) => {
      const onPiece = (/** @type {Record<string, unknown>} */ piece) => {
        if (!stop.aborted) emit(camelCase(piece));
        return !stop.aborted;
      };
      return camelCase(await pairOf(model).ask(question, { mode, implicitTokens, maxTokens, tokensPerSubmit }, onPiece));
    });
  }

  /**
   * Times the modes on one question; every measured answer is emitted.
   * @param {string} question
   * @param {CompareOptions} options
   * @param {Call<Answer>} call
   * @returns {Promise<Comparison>}
   */
  compare(question, options, { signal, emit }) {
    return this.#inLine(signal, async (model, stop) => {
      const onAnswer = (/** @type {Record<string, unknown>} */ answer) => {
        if (!stop.aborted) emit(camelCase(answer));
        return !stop.aborted;
      };
      return camelCase(await pairOf(model).compare(question, options, onAnswer));
    });
  }

  /**
   * Looks at the implicit tokens of a question; how much of the bank is embedded is emitted.
   * @param {string} question
   * @param {InspectOptions} options
   * @param {Call<number>} call
   * @returns {Promise<Inspection>}
   */
  inspect(question, { implicitTokens, nearest = 5, reasoning, bank }, { signal, emit }) {
    return this.#inLine(signal, async (model, stop) => {
      const pair = pairOf(model);
      if (bank !== undefined) {
        await this.#bringSentenceTransformer(pair, stop);
        // Kept by the engine, so that they are there when they are compared.
        await embedded(pair, bank, stop, emit);
      }
      const found = camelCase(await pair.inspect(question, { implicitTokens, nearest, reasoning, bank }));
      return { ...found, values: Float32Array.from(found.values) };
    });
  }

  /**
   * The sentence transformer's embeddings of texts; how many are done is emitted.
   * @param {readonly string[]} texts
   * @param {Call<number>} call
   * @returns {Promise<Float32Array[]>}
   */
  embed(texts, { signal, emit }) {
    return this.#inLine(signal, async (model, stop) => {
      const pair = pairOf(model);
      await this.#bringSentenceTransformer(pair, stop);
      return embedded(pair, texts, stop, emit);
    });
  }

  /**
   * Goes on with a text, or with token ids; parts of the text are emitted as they come.
   * @param {string | readonly number[]} prompt
   * @param {GenerateOptions} options
   * @param {Call<string>} call
   * @returns {Promise<Generated>}
   */
  generate(prompt, options, { signal, emit }) {
    return this.#inLine(signal, async (model, stop) => {
      const onText = (/** @type {string} */ text) => {
        if (!stop.aborted) emit(text);
        return !stop.aborted;
      };
      const given = typeof prompt === "string" ? { text: prompt } : { ids: prompt };
      return camelCase(await singleOf(model).generate({ ...options, ...given }, onText));
    });
  }

  /**
   * One forward pass of a single file's model.
   * @param {readonly number[]} ids
   * @param {ForwardOptions} options
   * @param {Call} call
   * @returns {Promise<Float32Array>}
   */
  forward(ids, options, { signal }) {
    return this.#inLine(signal, (model) => singleOf(model).forward(Uint32Array.from(ids), options));
  }

  /**
   * Times prefill and decode: of a single file's model, or of a folder's target.
   * @param {BenchOptions} options
   * @param {Call} call
   * @returns {Promise<Bench>}
   */
  bench(options, { signal }) {
    return this.#inLine(signal, async (model) => camelCase(await model.bench(options)));
  }

  /**
   * Word problems with their truth.
   * @param {ProblemOptions} options
   * @returns {Promise<Problem[]>}
   */
  async problems({ family = "arithmetic", split = "heldout", seed, count = 1 }) {
    const wasm = await startWasm(this.#device);
    try {
      return camelCase(wasm.problems(family, split, seed, count));
    } catch (error) {
      throw SemCoTError.from(error);
    }
  }

  /** Bytes of the wasm's linear memory, which only grows: its size is its high-water mark. */
  async wasmMemoryBytes() {
    return (await startWasm(this.#device)).memoryBytes();
  }

  /** Stops what runs and gives everything back. */
  async dispose() {
    this.#disposal.abort();
    await this.#line;
    this.#model?.free();
    this.#model = null;
  }

  /**
   * Loads the sentence transformer when it is first needed: nobody waits for it before.
   * @param {Pair} pair
   * @param {AbortSignal} signal
   */
  async #bringSentenceTransformer(pair, signal) {
    const found = this.#unloaded;
    if (found === null) return;
    if (found.sentenceTransformer.length === 0) {
      throw new SemCoTError("unsupported-model", "This model folder has no sentence transformer, so that reasonings cannot be compared: use a folder whose semcot.json names one.");
    }
    const loading = await Loading.openSentenceTransformer(found, await startWasm(this.#device), { signal, emit: () => {} });
    try {
      await loading.bring(null);
      await pair.loadSentenceTransformer(loading.target);
    } catch (error) {
      throw loading.endedBy(error);
    } finally {
      loading.close();
    }
    this.#unloaded = null;
  }

  /**
   * Runs every mode once: drivers finish compiling at the first use, which is nobody's answer time.
   * @param {AbortSignal} signal
   */
  async #warmUp(signal) {
    for (const mode of ["implicit", "explicit", "direct"]) {
      await this.ask("1 + 1?", { mode: /** @type {import("./semcot.js").Mode} */ (mode), maxTokens: 2 }, { signal, emit: () => {} });
    }
  }

  /**
   * Runs after all that was asked before, and not at all when aborted by then.
   * @template T
   * @param {AbortSignal} signal
   * @param {(model: Pair | SingleModel, stop: AbortSignal) => Promise<T>} work
   * @returns {Promise<T>}
   */
  #inLine(signal, work) {
    const stop = AbortSignal.any([signal, this.#disposal.signal]);
    const result = this.#line.then(async () => {
      throwIfAborted(stop);
      this.#stop = stop;
      try {
        const value = await work(loaded(this.#model), stop);
        throwIfAborted(stop);
        return value;
      } catch (error) {
        throwIfAborted(stop);
        throw SemCoTError.from(error);
      }
    });
    this.#line = result.then(() => {}, () => {});
    return result;
  }
}

/** Texts that are embedded between two looks at whether to stop. */
const TEXTS_AT_A_TIME = 32;

/**
 * Embeddings of texts.
 * @param {Pair} pair
 * @param {readonly string[]} texts
 * @param {AbortSignal} stop
 * @param {(done: number) => void} emit
 * @returns {Promise<Float32Array[]>}
 */
async function embedded(pair, texts, stop, emit) {
  const embeddings = [];
  for (let first = 0; first < texts.length; first += TEXTS_AT_A_TIME) {
    throwIfAborted(stop);
    const some = texts.slice(first, first + TEXTS_AT_A_TIME);
    const values = await pair.embed(some);
    const size = values.length / some.length;
    for (let index = 0; index < some.length; index++) embeddings.push(values.slice(index * size, (index + 1) * size));
    if (!stop.aborted) emit(embeddings.length);
  }
  return embeddings;
}

/**
 * @param {Pair | SingleModel | null} model
 * @returns {Pair | SingleModel}
 */
function loaded(model) {
  if (model) return model;
  throw new SemCoTError("bad-input", "No model is loaded: call SemCoT.load first.");
}

/**
 * @param {Pair | SingleModel} model
 * @returns {Pair}
 */
function pairOf(model) {
  if ("ask" in model) return model;
  throw new SemCoTError("bad-input", "A single GGUF file can go on with a text by generate, but not be asked: load a model folder.");
}

/**
 * @param {Pair | SingleModel} model
 * @returns {SingleModel}
 */
function singleOf(model) {
  if ("generate" in model) return model;
  throw new SemCoTError("bad-input", "A model folder answers by ask: load a single GGUF file for generate and forward.");
}

/**
 * Whether read-backs must be woken. Firefox looks for finished work on a 100 ms timer and at every
 * submit; in other browsers waking slows long work down, so nothing short of its name will do.
 */
function needsWaking() {
  return navigator.userAgent.includes("Firefox/");
}

/** Lets this thread's other tasks run: the message of an abort is one. @returns {Promise<void>} */
function nextTask() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/**
 * The same data with names as JavaScript writes them; the engine's own are snake_case, as in its JSON.
 * @param {any} value
 * @returns {any}
 */
function camelCase(value) {
  if (Array.isArray(value)) return value.map(camelCase);
  if (value === null || typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const named = Object.entries(value).map(([name, field]) => [
    name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase()),
    camelCase(field),
  ]);
  return Object.fromEntries(named);
}
