// @ts-check
// An engine that outlives its device and its worker. Calls take turns; when the device was lost or the
// worker was ended, what ran then fails, and the next call finds a new engine, with the same model loaded
// from what is kept.

import { SemCoTError, throwIfAborted } from "./errors.js";
import { openHost } from "./hosts.js";

/** @typedef {import("./hosts.js").CallOptions} CallOptions */
/** @typedef {import("./hosts.js").Host} Host */
/** @typedef {import("./hosts.js").Method} Method */
/** @typedef {import("./semcot.js").Info} Info */
/** @typedef {import("./semcot.js").Progress} Progress */

/** Failures that leave the engine of no use: lost, or in a state that nobody foresaw. */
const BROKEN = ["device-lost", "internal"];
/** What does not take the model, and waits for nobody. */
const WITHOUT_MODEL = ["problems", "wasmMemoryBytes"];

/**
 * @typedef {object} Order what is loaded, and where
 * @property {string | readonly Blob[]} model
 * @property {import("./engine.js").Settings} settings
 * @property {import("./hosts.js").Place} place
 * @property {(progress: Progress) => void} [onProgress] also told when the engine is loaded again
 */

export class LastingHost {
  /** What is loaded and what it runs on. @type {Info} */
  info;
  #order;
  /** Its files with all that is known of them, after the first load. @type {import("./files.js").Found | null} */
  #files = null;
  /** Null from a loss to the next call. @type {Host | null} */
  #host = null;
  /** The end of the line of calls: each waits for the one before. @type {Promise<unknown>} */
  #line = Promise.resolve();
  #disposal = new AbortController();

  /**
   * Use [`LastingHost.load`].
   * @param {Order} order
   */
  constructor(order) {
    this.#order = order;
    this.info = /** @type {Info} */ ({});
  }

  /**
   * @param {Order} order
   * @param {AbortSignal} [signal]
   * @returns {Promise<LastingHost>}
   */
  static async load(order, signal) {
    const lasting = new LastingHost(order);
    await lasting.#start(signal);
    return lasting;
  }

  /**
   * Calls a method of the engine, after the calls before it.
   * @param {Method} method
   * @param {unknown[]} args
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  async call(method, args, { signal, onEvent } = {}) {
    if (this.#disposal.signal.aborted) throw this.#disposal.signal.reason;
    const stop = signal ? AbortSignal.any([signal, this.#disposal.signal]) : this.#disposal.signal;
    const work = async () => {
      throwIfAborted(stop);
      const host = this.#host ?? (await this.#start(stop));
      try {
        return await host.call(method, args, { signal: stop, onEvent });
      } catch (thrown) {
        const error = SemCoTError.from(thrown);
        if (BROKEN.includes(error.code)) this.#drop(host, error);
        throw error;
      }
    };
    if (this.#host !== null && WITHOUT_MODEL.includes(method)) return work();
    const result = this.#line.then(work);
    this.#line = result.catch(() => {});
    return unlessAborted(result, stop);
  }

  /** Stops what runs, and gives everything back. */
  close() {
    this.#disposal.abort(new SemCoTError("aborted", "This engine was disposed of: load the model again."));
    this.#host?.close();
    this.#host = null;
  }

  /**
   * @param {AbortSignal} [signal]
   * @returns {Promise<Host>}
   */
  async #start(signal) {
    const { model, settings, place, onProgress } = this.#order;
    const host = await openHost(place, signal);
    try {
      // With what is known of the files, another load need not ask their server.
      const { info, files } = await host.call("load", [this.#files ?? model, settings], { signal, onEvent: onProgress });
      throwIfAborted(signal);
      [this.info, this.#files] = [info, files];
    } catch (error) {
      host.close();
      this.#files = null;
      throw error;
    }
    this.#host = host;
    const lost = host.call("untilLost", []).then(
      (reason) => new SemCoTError("device-lost", `The graphics device was lost (${reason}). Ask again: the engine starts anew by itself.`),
      SemCoTError.from,
    );
    lost.then((error) => this.#drop(host, error));
    return host;
  }

  /**
   * @param {Host} host
   * @param {SemCoTError} error what is still under way ends with
   */
  #drop(host, error) {
    if (this.#host === host) this.#host = null;
    host.close(error);
  }
}

/**
 * What a promise gives, or an `AbortError` as soon as a signal fires.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(SemCoTError.aborted());
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
