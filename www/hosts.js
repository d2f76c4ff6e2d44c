// @ts-check
// Where the engine runs: in a worker, or in the page where a worker has no WebGPU. Both are called
// the same way; `lasting.js` does not know which one it has.

import { findAdapter } from "./adapter.js";
import { SemCoTError } from "./errors.js";

/** @typedef {typeof import("./engine.js").METHODS[number]} Method */

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] rejects the call with `AbortError` at once, whatever the engine is busy with
 * @property {(event: any) => void} [onEvent]
 */

/**
 * @typedef {object} Host
 * @property {(method: Method, args: unknown[], options?: CallOptions) => Promise<any>} call
 * @property {(reason?: SemCoTError) => void} close ends everything; what still runs is rejected with the reason
 */

/**
 * Where the engine may run.
 * @typedef {object} Place
 * @property {boolean} [worker] in a worker unless told otherwise, so that the page stays smooth
 * @property {string} [workerUrl] absolute address of the worker's script
 * @property {import("./semcot.js").LoadSettings["device"]} [device] what is to compute
 */

/**
 * @typedef {object} Pending
 * @property {(value: any) => void} resolve
 * @property {(error: SemCoTError) => void} reject
 * @property {((event: any) => void) | undefined} onEvent
 */

/** A worker for whoever asks first, opened before. @type {Promise<Host> | null} */
let ahead = null;

/** Opens a worker before anybody asks for one: it fetches its modules while the page fetches its own. */
export function openAhead() {
  if (typeof Worker === "undefined") return;
  ahead ??= startWorker().then(workerHost);
  // A failure is met where it is awaited.
  ahead.catch(() => {});
}

/**
 * Opens the best place there is for the engine.
 * @param {Place} place
 * @param {AbortSignal} [signal]
 * @returns {Promise<Host>}
 */
export async function openHost({ worker = true, workerUrl, device }, signal) {
  if (!worker || typeof Worker === "undefined") return localHost();
  let host;
  try {
    const opened = workerUrl === undefined ? ahead : null;
    if (opened) ahead = null;
    host = await (opened ?? startWorker(workerUrl).then(workerHost));
    // The CPU is there in a worker as in the page.
    if ((await host.call("hasWebGpu", [], { signal })) || device === "cpu" || (await findAdapter()) === null) return host;
  } catch (error) {
    if (SemCoTError.from(error).code === "aborted" || workerUrl !== undefined) {
      host?.close();
      throw error;
    }
    // A worker that cannot start (a content policy, say) is no reason not to try the page.
  }
  host?.close();
  return localHost();
}

/**
 * @param {string} [url]
 * @returns {Promise<Worker>}
 */
async function startWorker(url) {
  // Bundlers know a worker by exactly these words.
  if (url === undefined) return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "semcot" });
  if (new URL(url).origin === globalThis.origin) return new Worker(url, { type: "module", name: "semcot" });
  // The script of a worker must be of the page's own origin, but may bring others in.
  const bridge = URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: "text/javascript" }));
  return new Worker(bridge, { type: "module", name: "semcot" });
}

/**
 * @param {Worker} worker
 * @returns {Host}
 */
function workerHost(worker) {
  /** @type {Map<number, Pending>} */
  const pending = new Map();
  let lastId = 0;
  /** Why it answers no more. @type {SemCoTError | null} */
  let ended = null;

  const close = (reason = SemCoTError.aborted()) => {
    ended ??= reason;
    worker.terminate();
    for (const call of pending.values()) call.reject(ended);
    pending.clear();
  };
  worker.addEventListener("message", ({ data: { id, event, result, error, life } }) => {
    if (life !== undefined) return watchLife(life);
    const call = pending.get(id);
    if (!call) return;
    if (event !== undefined) return call.onEvent?.(event);
    pending.delete(id);
    if (error) call.reject(new SemCoTError(error.code, error.message));
    else call.resolve(result);
  });
  worker.addEventListener("error", (event) => {
    // A script that could not be fetched or started has no message.
    close(event.message === undefined
      ? new SemCoTError("network", "The engine's worker could not be started. Is its script (worker.js) where it is looked for, and may the page use it?")
      : new SemCoTError("internal", `The engine's worker failed: ${event.message}. Try again; if it stays, please report this.`));
  });
  // No event tells that a browser has ended a worker, but its locks become free.
  const watchLife = (/** @type {string} */ lock) =>
    navigator.locks.request(lock, () =>
      close(new SemCoTError("device-lost", "The browser has ended the engine's worker, perhaps for want of memory. Ask again: the engine starts anew by itself.")),
    );

  return {
    call: (method, args, { signal, onEvent } = {}) =>
      new Promise((resolve, reject) => {
        if (ended) return reject(ended);
        if (signal?.aborted) return reject(SemCoTError.aborted());
        const id = ++lastId;
        try {
          worker.postMessage({ id, method, args });
        } catch (error) {
          const reason = error instanceof Error ? error.message : error;
          return reject(new SemCoTError("bad-input", `An option cannot be handed to the engine's worker: ${reason}.`));
        }
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
      }),
    close,
  };
}

/** @returns {Promise<Host>} */
async function localHost() {
  const { LocalEngine } = await import("./engine.js");
  const local = new LocalEngine();
  const engine = /** @type {Record<string, (...args: unknown[]) => Promise<unknown>>} */ (/** @type {unknown} */ (local));
  const closing = new AbortController();
  return {
    call: (method, args, { signal, onEvent } = {}) =>
      new Promise((resolve, reject) => {
        const stop = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal;
        const abort = () => reject(closing.signal.aborted ? closing.signal.reason : SemCoTError.aborted());
        if (stop.aborted) return abort();
        stop.addEventListener("abort", abort, { once: true });
        const emit = (/** @type {unknown} */ event) => {
          if (!stop.aborted) onEvent?.(event);
        };
        engine[method](...args, { signal: stop, emit })
          .then(resolve, (error) => reject(SemCoTError.from(error)))
          .finally(() => stop.removeEventListener("abort", abort));
      }),
    close: (reason = SemCoTError.aborted()) => {
      closing.abort(reason);
      local.dispose();
    },
  };
}
