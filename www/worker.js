// @ts-check
// The engine in a worker, so that the page stays smooth. Messages in: `{ id, method, args }` and
// `{ id, abort: true }`; out: `{ id, event }` any number of times, then `{ id, result }` or `{ id, error }`.
// Besides, once, `{ life }`: the name of a lock that is held as long as the worker lives.

import { LocalEngine, METHODS } from "./engine.js";
import { SemCoTError } from "./errors.js";

/**
 * @typedef {{ id: number, method: typeof METHODS[number], args: unknown[] } | { id: number, abort: true }} Request
 */

const engine = /** @type {Record<string, (...args: unknown[]) => Promise<unknown>>} */ (/** @type {unknown} */ (new LocalEngine()));
/** @type {Map<number, AbortController>} */
const calls = new Map();

// A lock for life: whoever waits for it hears when this worker was ended.
const life = `semcot worker ${crypto.randomUUID?.() ?? Math.random()}`;
navigator.locks?.request(life, () => {
  postMessage({ life });
  return new Promise(() => {});
});

addEventListener("message", async (/** @type {MessageEvent<Request>} */ { data }) => {
  if ("abort" in data) return calls.get(data.id)?.abort();
  const { id, method, args } = data;
  const controller = new AbortController();
  calls.set(id, controller);
  try {
    if (!METHODS.includes(method)) throw new SemCoTError("internal", `There is no method ${method}.`);
    const call = { signal: controller.signal, emit: (/** @type {unknown} */ event) => postMessage({ id, event }) };
    postMessage({ id, result: await engine[method](...args, call) });
  } catch (error) {
    const { code, message } = SemCoTError.from(error);
    postMessage({ id, error: { code, message } });
  } finally {
    calls.delete(id);
  }
});
