// @ts-check
// Engines that elements of one page share: one for each model, loaded for the first that asks and given back
// when the last has gone.

import { SemCoTError } from "../errors.js";
import { SemCoT } from "../semcot.js";

/** @typedef {import("../semcot.js").Progress} Progress */

/**
 * What is loaded, and from where.
 * @typedef {object} Order
 * @property {string} src absolute address of the model
 * @property {import("../semcot.js").LoadSettings["device"]} device
 * @property {string | undefined} workerUrl
 * @property {string | undefined} wasmUrl
 * @property {string | undefined} cpuWasmUrl
 */

/**
 * @typedef {object} Shared
 * @property {Promise<SemCoT>} engine
 * @property {Map<object, ((progress: Progress) => void)>} users with their listeners
 * @property {AbortController} loading
 */

/** @type {Map<string, Shared>} */
const engines = new Map();

/**
 * The engine of a model, which stays until all who asked for it have left it.
 * @param {Order} order
 * @param {object} user
 * @param {{ signal: AbortSignal, onProgress: (progress: Progress) => void }} options the signal ends the
 *   user's own wait; a load for which nobody waits any more ends with it
 * @returns {Promise<SemCoT>}
 */
export function takeEngine(order, user, { signal, onProgress }) {
  const key = JSON.stringify(order);
  const shared = engines.get(key) ?? load(order, key);
  shared.users.set(user, onProgress);
  return new Promise((resolve, reject) => {
    const give = () => {
      leaveEngine(order, user);
      reject(SemCoTError.aborted());
    };
    if (signal.aborted) return give();
    signal.addEventListener("abort", give, { once: true });
    shared.engine.then(resolve, reject).finally(() => signal.removeEventListener("abort", give));
  });
}

/**
 * Leaves a model's engine to the others; does nothing for those who have left.
 * @param {Order} order
 * @param {object} user
 */
export function leaveEngine(order, user) {
  const key = JSON.stringify(order);
  const shared = engines.get(key);
  if (!shared?.users.delete(user) || shared.users.size > 0) return;
  engines.delete(key);
  shared.loading.abort();
  shared.engine.then((engine) => engine.dispose(), () => {});
}

/**
 * @param {Order} order
 * @param {string} key
 * @returns {Shared}
 */
function load({ src, ...place }, key) {
  const loading = new AbortController();
  /** @type {Shared["users"]} */
  const users = new Map();
  const onProgress = (/** @type {Progress} */ progress) => {
    for (const listener of users.values()) listener(progress);
  };
  const shared = { engine: SemCoT.load(src, { ...place, signal: loading.signal, onProgress }), users, loading };
  engines.set(key, shared);
  // Who asks after a failure has it tried again.
  shared.engine.catch(() => {
    if (engines.get(key) === shared) engines.delete(key);
  });
  return shared;
}
