// @ts-check
// Where the engine runs: in a worker, or in the page where a worker has no WebGPU. Both are called
// the same way; `semcot.js` does not know which one it has.

import { LocalEngine, METHODS } from "./engine.js";
import { SemCoTError } from "./errors.js";

/** @typedef {typeof METHODS[number]} Method */

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] rejects the call with `AbortError` at once, whatever the engine is busy with
 * @property {(event: any) => void} [onEvent]
 */

/**
 * @typedef {object} Host
 * @property {(method: Method, args: unknown[], options?: CallOptions) => Promise<any>} call
 * @property {() => void} close
 */

/**
 * @typedef {object} Pending
 * @property {(value: any) => void} resolve
 * @property {(error: SemCoTError) => void} reject
 * @property {((event: any) => void) | undefined} onEvent
 */

/**
 * Opens the best place there is for the engine.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Host>}
 */
export async function openHost(signal) {
  if (typeof Worker === "undefined") return localHost();
  const host = workerHost();
  try {
    if (await host.call("hasWebGpu", [], { signal })) return host;
  } catch (error) {
    if (SemCoTError.from(error).code === "aborted") {
      host.close();
      throw error;
    }
    // A worker that cannot start (a content policy, say) is no reason not to try the page.
  }
  host.close();
  return localHost();
}

/** @returns {Host} */
function workerHost() {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "semcot" });
  /** @type {Map<number, Pending>} */
  const pending = new Map();
  let lastId = 0;
  let closed = false;

  worker.addEventListener("message", ({ data: { id, event, result, error } }) => {
    const call = pending.get(id);
    if (!call) return;
    if (event !== undefined) return call.onEvent?.(event);
    pending.delete(id);
    if (error) call.reject(new SemCoTError(error.code, error.message));
    else call.resolve(result);
  });
  const failAll = (/** @type {string} */ message) => {
    for (const call of pending.values()) call.reject(new SemCoTError("internal", message));
    pending.clear();
  };
  worker.addEventListener("error", (event) => failAll(`The engine's worker failed: ${event.message ?? "it did not start"}.`));

  return {
    call: (method, args, { signal, onEvent } = {}) =>
      new Promise((resolve, reject) => {
        if (closed || signal?.aborted) return reject(SemCoTError.aborted());
        const id = ++lastId;
        const onAbort = () => {
          worker.postMessage({ id, abort: true });
          pending.delete(id);
          reject(SemCoTError.aborted());
        };
        const settled = () => signal?.removeEventListener("abort", onAbort);
        signal?.addEventListener("abort", onAbort, { once: true });
        pending.set(id, {
          resolve: (value) => (settled(), resolve(value)),
          reject: (error) => (settled(), reject(error)),
          onEvent,
        });
        worker.postMessage({ id, method, args });
      }),
    close: () => {
      closed = true;
      worker.terminate();
      for (const call of pending.values()) call.reject(SemCoTError.aborted());
      pending.clear();
    },
  };
}

/** @returns {Host} */
function localHost() {
  const engine = /** @type {Record<string, (...args: unknown[]) => Promise<unknown>>} */ (/** @type {unknown} */ (new LocalEngine()));
  return {
    call: (method, args, { signal, onEvent } = {}) =>
      new Promise((resolve, reject) => {
        const stop = signal ?? new AbortController().signal;
        if (stop.aborted) return reject(SemCoTError.aborted());
        const onAbort = () => reject(SemCoTError.aborted());
        stop.addEventListener("abort", onAbort, { once: true });
        const emit = (/** @type {unknown} */ event) => {
          if (!stop.aborted) onEvent?.(event);
        };
        engine[method](...args, { signal: stop, emit })
          .then(resolve, (error) => reject(SemCoTError.from(error)))
          .finally(() => stop.removeEventListener("abort", onAbort));
      }),
    close: () => {},
  };
}
