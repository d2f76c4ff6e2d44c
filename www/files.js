// @ts-check
// Which files a model consists of: by the URL of a model folder or a GGUF file, or among files that the
// visitor has given. A model that is split into shards (NAME-00001-of-0000N.gguf) is all of them.

import { SemCoTError } from "./errors.js";
import { fetchText } from "./ranges.js";

/** Name of a folder's manifest. */
const MANIFEST = "semcot.json";

/** @typedef {import("./pkg/semcot.js")} Wasm */
/** @typedef {import("./download.js").RemoteModelFile} RemoteModelFile */
/** @typedef {import("./local.js").LocalModelFile} LocalModelFile */

/**
 * @typedef {object} Found
 * @property {string} url the model's address; empty of files that were given
 * @property {string | null} manifest text of semcot.json; null of a single model
 * @property {(RemoteModelFile | LocalModelFile)[]} target files of the target, or of the single model
 * @property {(RemoteModelFile | LocalModelFile)[]} generator none of a single model
 * @property {(RemoteModelFile | LocalModelFile)[]} sentenceTransformer none where there is none
 */

/**
 * What has to be fetched for a model: a folder's files by its semcot.json, or a GGUF's.
 * @param {string} url absolute, as `modelUrl` of kept.js makes it
 * @param {Wasm} wasm
 * @param {AbortSignal} signal
 * @returns {Promise<Found>}
 */
export async function filesAt(url, wasm, signal) {
  const { pathname } = new URL(url);
  if (pathname.endsWith(".gguf")) {
    const own = lastPart(pathname);
    const target = wasm.shardNames(own).map((name) => ({ name: decodeURIComponent(name), url: sibling(url, name) }));
    return { url, manifest: null, target, generator: [], sentenceTransformer: [] };
  }
  const folder = new URL(url);
  const manifest = await fetchText(new URL(MANIFEST, folder).href, signal);
  const [target, generator, sentenceTransformer] = listed(manifest, wasm).map((files) =>
    files.map((file) => ({ ...file, name: file.path, url: new URL(file.path, folder).href })),
  );
  return { url, manifest, target, generator, sentenceTransformer };
}

/**
 * The files of a model among those given: of the folder whose semcot.json is among them, or of the
 * one GGUF model that they are.
 * @param {readonly Blob[]} given
 * @param {Wasm} wasm
 * @returns {Promise<Found>}
 */
export async function filesAmong(given, wasm) {
  const byPath = new Map(given.map((blob) => [pathOf(blob), blob]));
  const manifests = [...byPath.keys()].filter((path) => lastPart(path) === MANIFEST);
  // Of nested folders the outermost counts.
  const manifestPath = manifests.sort((a, b) => a.length - b.length).at(0);
  if (manifestPath === undefined) return { url: "", manifest: null, target: singleAmong(byPath, wasm), generator: [], sentenceTransformer: [] };
  const manifest = await /** @type {Blob} */ (byPath.get(manifestPath)).text();
  const folder = manifestPath.slice(0, -MANIFEST.length);
  const models = listed(manifest, wasm);
  // What answers do not need may be left out.
  if (models[2].some((file) => !byPath.has(folder + file.path))) models[2] = [];
  const [target, generator, sentenceTransformer] = models.map((files) =>
    files.map((file) => {
      const blob = byPath.get(folder + file.path);
      if (blob === undefined) throw new SemCoTError("bad-input", `${file.path}, which ${MANIFEST} names, is not among the files given. Give all files of the folder.`);
      return { ...file, name: file.path, blob };
    }),
  );
  return { url: "", manifest, target, generator, sentenceTransformer };
}

/**
 * @param {Map<string, Blob>} byPath
 * @param {Wasm} wasm
 * @returns {LocalModelFile[]}
 */
function singleAmong(byPath, wasm) {
  // What has no name can only be meant itself.
  const models = byPath.size === 1 ? [...byPath.keys()] : [...byPath.keys()].filter((path) => path.endsWith(".gguf"));
  if (models.length === 0) throw new SemCoTError("bad-input", `There is neither a ${MANIFEST} nor a GGUF file among the files given.`);
  const folder = models[0].slice(0, -lastPart(models[0]).length);
  const names = wasm.shardNames(lastPart(models[0]));
  const missing = names.find((name) => !byPath.has(folder + name));
  if (missing !== undefined) throw new SemCoTError("bad-input", `${missing} is not among the files given: the model is split into ${names.length} files. Give all of them.`);
  const other = models.find((path) => !names.includes(path.slice(folder.length)));
  if (other !== undefined) throw new SemCoTError("bad-input", `${models[0]} and ${other} are different models: give one, or a folder with its ${MANIFEST}.`);
  return names.map((name) => ({ name, blob: /** @type {Blob} */ (byPath.get(folder + name)) }));
}

/**
 * @param {string} manifest
 * @param {Wasm} wasm
 * @returns {{ path: string, bytes: number, sha256: string }[][]}
 */
function listed(manifest, wasm) {
  try {
    return wasm.manifestFiles(manifest);
  } catch (error) {
    throw SemCoTError.from(error);
  }
}

/**
 * Where a file lies in a folder that was given, else its name.
 * @param {Blob} blob
 */
function pathOf(blob) {
  return blob instanceof File ? blob.webkitRelativePath || blob.name : "model.gguf";
}

/**
 * The same URL with another last part of its path.
 * @param {string} url
 * @param {string} name
 */
function sibling(url, name) {
  const other = new URL(url);
  other.pathname = other.pathname.replace(/[^/]*$/, name);
  return other.href;
}

/** @param {string} path */
function lastPart(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}
