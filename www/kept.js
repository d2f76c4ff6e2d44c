// @ts-check
// The models that earlier loads have kept in this browser, for people to look at and remove: `SemCoT.cache`.
// How files are kept is in `cache.js`.

import { keptFiles, removeKept } from "./cache.js";
import { SemCoTError, throwIfAborted } from "./errors.js";

/**
 * A model that is kept, wholly or in part.
 * @typedef {object} KeptModel
 * @property {string} url what it was loaded by: of a folder with a slash at its end, of a split model its first file
 * @property {number} bytes of all its files, as far as they are known
 * @property {number} storedBytes how much of them is kept
 * @property {boolean} complete whether a load fetches none of them
 * @property {number} usedAt when it was last loaded, in milliseconds since 1970
 * @property {{ url: string, name: string, bytes: number, storedBytes: number }[]} files
 */

/**
 * Room for files, in bytes; 0 where the browser does not say.
 * @typedef {object} KeptEstimate
 * @property {number} modelBytes kept of models
 * @property {number} usageBytes kept by all pages of this origin
 * @property {number} quotaBytes what they may keep together
 * @property {boolean} persisted whether the browser removes none of it by itself
 */

/** @typedef {import("./cache.js").Label & { storedBytes: number }} KeptFile */

/** What is kept of models. Where the browser keeps nothing, there is nothing in it. */
export const kept = Object.freeze({
  /**
   * The models kept, the last used first.
   * @returns {Promise<KeptModel[]>}
   */
  async list() {
    /** @type {Map<string, KeptFile[]>} */
    const models = new Map();
    for (const { label, storedBytes } of await keptFiles()) {
      if (label === null) continue;
      models.set(label.model, [...(models.get(label.model) ?? []), { ...label, storedBytes }]);
    }
    return [...models].map(modelOf).sort((a, b) => b.usedAt - a.usedAt);
  },

  /**
   * Whether all of a model is kept: a load then fetches no more than a folder's semcot.json.
   * @param {string | URL} model as for `SemCoT.load`
   * @returns {Promise<boolean>}
   */
  async has(model) {
    const url = modelUrl(model);
    return (await kept.list()).some((it) => it.url === url && it.complete);
  },

  /**
   * Removes what is kept of a model, after the loads that are under way.
   * @param {string | URL} model as for `SemCoT.load`
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<boolean>} whether there was anything
   */
  async delete(model, { signal } = {}) {
    const url = modelUrl(model);
    return (await remove(url, signal)) > 0;
  },

  /**
   * Removes all models, after the loads that are under way.
   * @param {{ signal?: AbortSignal }} [options]
   */
  async clear({ signal } = {}) {
    await remove(null, signal);
  },

  /**
   * Asks the browser to keep models until somebody removes them, also when it runs out of room. Some
   * browsers ask the visitor.
   * @returns {Promise<boolean>} whether it will
   */
  async persist() {
    return (await navigator.storage?.persist?.()) ?? false;
  },

  /**
   * How much room there is.
   * @returns {Promise<KeptEstimate>}
   */
  async estimate() {
    const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
    const persisted = (await navigator.storage?.persisted?.()) ?? false;
    const modelBytes = (await kept.list()).reduce((bytes, model) => bytes + model.storedBytes, 0);
    return { modelBytes, usageBytes: usage, quotaBytes: quota, persisted };
  },
});

/**
 * The address that a model is kept under.
 * @param {string | URL} model relative to the page
 * @returns {string}
 */
export function modelUrl(model) {
  let url;
  try {
    url = new URL(model, globalThis.document?.baseURI ?? location.href);
  } catch {
    throw new SemCoTError("bad-input", `${JSON.stringify(String(model))} is no address. Name a model folder or a GGUF file by its URL.`);
  }
  url.hash = "";
  url.pathname = url.pathname.endsWith(".gguf")
    ? url.pathname.replace(/-\d{5}-of-(\d{5})\.gguf$/, "-00001-of-$1.gguf")
    : url.pathname.replace(/\/?$/, "/");
  return url.href;
}

/**
 * @param {[string, KeptFile[]]} model its address, and what is kept for it
 * @returns {KeptModel}
 */
function modelOf([model, labelled]) {
  const files = labelled.map(({ url, name, size, storedBytes }) => ({ url, name, bytes: size, storedBytes }));
  const complete = files.length >= labelled[0].files && files.every((file) => file.storedBytes === file.bytes);
  const sum = (/** @type {"bytes" | "storedBytes"} */ field) => files.reduce((total, file) => total + file[field], 0);
  const usedAt = Math.max(...labelled.map((file) => file.usedAt));
  return { url: model, bytes: sum("bytes"), storedBytes: sum("storedBytes"), complete, usedAt, files };
}

/**
 * @param {string | null} url
 * @param {AbortSignal | undefined} signal
 */
async function remove(url, signal) {
  try {
    return await removeKept(url, signal);
  } catch (error) {
    throwIfAborted(signal);
    throw SemCoTError.from(error);
  }
}
