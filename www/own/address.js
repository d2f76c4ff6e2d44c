// @ts-check
// What a visitor types for a model: an address, or the name of a repository on the Hugging Face hub (or
// one that answers like it), whose files are listed here. Nothing is asked of it before `listModels`.

import { SemCoTError } from "../errors.js";
import { fetchText } from "../ranges.js";

/**
 * @typedef {{ kind: "url", url: string } | { kind: "repository", id: string }} Address
 */

/**
 * A model in a repository: a folder with its semcot.json, or a GGUF file (of a split one the first).
 * @typedef {object} Offer
 * @property {string} path in the repository; empty for the repository itself
 * @property {string} url
 */

/** `owner/name` as the hub allows it. A relative address has another slash, at its end at least. */
const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;
const SHARD = /-(\d{5})-of-\d{5}\.gguf$/;

/**
 * @param {string} text
 * @param {string} hub the hub's address
 * @returns {Address}
 */
export function readAddress(text, hub) {
  const typed = text.trim();
  if (typed === "") throw new SemCoTError("bad-input", "There is no address. Name a model folder, a GGUF file, or a repository.");
  if (REPOSITORY.test(typed) && !typed.endsWith(".gguf")) return { kind: "repository", id: typed };
  const prefix = `${hub.replace(/\/$/, "")}/`;
  if (!typed.startsWith(prefix)) return { kind: "url", url: typed };
  const path = typed.slice(prefix.length).replace(/[?#].*$/, "").replace(/\/$/, "");
  if (REPOSITORY.test(path)) return { kind: "repository", id: path };
  // The address of a file's page, as it is copied from there.
  return { kind: "url", url: prefix + path.replace(/^([^/]+\/[^/]+)\/blob\//, "$1/resolve/") + (typed.endsWith("/") ? "/" : "") };
}

/**
 * Asks the hub for the models of a repository.
 * @param {string} id
 * @param {string} hub
 * @param {AbortSignal} signal
 * @returns {Promise<Offer[]>}
 */
export async function listModels(id, hub, signal) {
  const base = hub.replace(/\/$/, "");
  const paths = filesIn(await fetchText(`${base}/api/models/${id}`, signal), id);
  const folders = paths.filter((path) => /(^|\/)semcot\.json$/.test(path)).map((path) => path.replace(/semcot\.json$/, ""));
  const inFolder = (/** @type {string} */ path) => folders.some((folder) => path.startsWith(folder));
  const files = paths.filter((path) => path.endsWith(".gguf") && !inFolder(path) && (SHARD.exec(path)?.[1] ?? "00001") === "00001");
  const offers = [...folders, ...files].map((path) => ({ path, url: `${base}/${id}/resolve/main/${path.split("/").map(encodeURIComponent).join("/")}` }));
  if (offers.length > 0) return offers;
  throw new SemCoTError("unsupported-model", `${id} has neither a semcot.json nor a GGUF file. Many models have a second repository with GGUF files, often named …-GGUF; \`semcot convert\` makes them of a Hugging Face folder.`);
}

/**
 * @param {string} text what the hub says of the repository
 * @param {string} id
 * @returns {string[]}
 */
function filesIn(text, id) {
  try {
    const { siblings } = /** @type {{ siblings: { rfilename: string }[] }} */ (JSON.parse(text));
    return siblings.map(({ rfilename }) => String(rfilename));
  } catch {
    throw new SemCoTError("network", `What the hub says of ${id} is no list of files. Is it a model's repository?`);
  }
}
