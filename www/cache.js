// @ts-check
// Model files kept in the browser's private file system (OPFS), chunk by chunk. A file there begins
// with a label, which says what it is, and a journal, the SHA-256 of every chunk that was written; its
// data follow. Whatever is cut off midway (an abort, a closed tab), a chunk that does not match its
// entry is simply not there. What is kept, as models, is in `kept.js`.

import { SemCoTError } from "./errors.js";

/** Folder of the cache. */
const FOLDER = "semcot-models";
/** Part of the name of every file: another layout is another file. */
const LAYOUT = 2;
/** What is fetched, checked and kept at a time: small enough to lose, large enough for a request. */
export const CHUNK_BYTES = 4 << 20;
const DIGEST_BYTES = 32;
/** The label with the mark before it: room for addresses of several thousand characters. */
const LABEL_BYTES = 16 << 10;
/** Where the label's JSON begins; the mark of a verified file is byte 0. */
const LABEL_START = 8;
/** A handle whose owner has just been ended is given free a moment later: seconds, on a machine that has much to do. */
const OPEN_ATTEMPTS = 200;
const OPEN_PAUSE_MS = 50;

/**
 * What only workers have, and the types of pages therefore do not.
 * @typedef {object} SyncAccessHandle
 * @property {(into: Uint8Array, options: { at: number }) => number} read
 * @property {(from: Uint8Array, options: { at: number }) => number} write
 * @property {(size: number) => void} truncate
 * @property {() => void} close
 */

/**
 * What a kept file is.
 * @typedef {object} Label
 * @property {string} model address of the model that it was loaded for
 * @property {number} files how many the model has
 * @property {string} url
 * @property {string} name
 * @property {number} size in bytes
 * @property {number} usedAt when it was last loaded, in milliseconds since 1970
 */

/** One file of the cache, open for this thread alone. */
export class CacheEntry {
  #handle;
  #dataOffset;

  /**
   * @param {SyncAccessHandle} handle
   * @param {number} size of the model file
   */
  constructor(handle, size) {
    this.#handle = handle;
    this.#dataOffset = Math.ceil((LABEL_BYTES + DIGEST_BYTES * Math.ceil(size / CHUNK_BYTES)) / 4096) * 4096;
  }

  /**
   * Opens what is kept of a model's file, or a place for it. Its earlier states are removed.
   * @param {Label} label
   * @param {string} version tells states of the file apart: a SHA-256, an ETag
   * @returns {Promise<CacheEntry>} rejects where the browser or this thread has no such place
   */
  static async open(label, version) {
    const folder = await openFolder();
    const prefix = `${(await hexDigest(`${label.model} ${label.url}`)).slice(0, 24)}-`;
    const name = prefix + (await hexDigest(JSON.stringify([LAYOUT, CHUNK_BYTES, label.size, version]))).slice(0, 24);
    for await (const other of folder.keys()) {
      if (other.startsWith(prefix) && other !== name) await folder.removeEntry(other).catch(() => {});
    }
    const file = await folder.getFileHandle(name, { create: true });
    const entry = new CacheEntry(await openHandle(file), label.size);
    try {
      entry.#write(LABEL_START, labelBytes(label));
    } catch (error) {
      entry.close();
      throw error;
    }
    return entry;
  }

  /** Whether the whole file was once found to be the one that was promised. */
  get verified() {
    return this.#read(0, 1)[0] === 1;
  }

  set verified(value) {
    this.#write(0, Uint8Array.of(value ? 1 : 0));
  }

  /**
   * The digest that a chunk was written with, or null where it was not.
   * @param {number} index
   */
  digestOf(index) {
    const digest = this.#read(LABEL_BYTES + DIGEST_BYTES * index, DIGEST_BYTES);
    return digest.some((byte) => byte !== 0) ? digest : null;
  }

  /**
   * Keeps a chunk.
   * @param {number} index
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {Uint8Array<ArrayBuffer>} digest
   */
  writeChunk(index, bytes, digest) {
    this.#write(this.#dataOffset + index * CHUNK_BYTES, bytes);
    this.#write(LABEL_BYTES + DIGEST_BYTES * index, digest);
  }

  /**
   * @param {number} offset in the model file
   * @param {number} length
   */
  read(offset, length) {
    return this.#read(this.#dataOffset + offset, length);
  }

  /** Forgets the data. */
  clear() {
    const label = this.#read(0, LABEL_BYTES);
    label[0] = 0;
    this.#handle.truncate(0);
    this.#write(0, label);
  }

  close() {
    this.#handle.close();
  }

  /**
   * @param {number} at
   * @param {number} length
   */
  #read(at, length) {
    const bytes = new Uint8Array(length);
    // What lies behind the end was never written, and reads as zeros.
    this.#handle.read(bytes, { at });
    return bytes;
  }

  /**
   * @param {number} at
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  #write(at, bytes) {
    const written = this.#handle.write(bytes, { at });
    if (written !== bytes.length) throw new DOMException(`${written} of ${bytes.length} bytes were written`, "QuotaExceededError");
  }
}

/**
 * Waits until nobody else loads these files, and keeps others waiting until the given function is called.
 * @param {readonly string[]} urls
 * @param {AbortSignal} [signal]
 * @returns {Promise<() => void>}
 */
export async function holdFiles(urls, signal) {
  // In one order everywhere, so that two loads never wait for each other.
  const names = [...new Set(urls)].sort();
  /** @type {(() => void)[]} */
  const releases = [];
  const release = () => releases.forEach((it) => it());
  try {
    releases.push(await hold(FOLDER, "shared", signal));
    for (const name of names) releases.push(await hold(`${FOLDER} ${name}`, "exclusive", signal));
  } catch (error) {
    release();
    throw SemCoTError.from(error);
  }
  return release;
}

/**
 * All kept files, as their labels name them; `label` is null of what cannot be read any more, which
 * includes files of earlier layouts.
 * @returns {Promise<{ entry: string, label: Label | null, storedBytes: number }[]>}
 */
export async function keptFiles() {
  const folder = await existingFolder();
  const found = [];
  for await (const handle of folder?.values() ?? []) {
    if (handle.kind === "file") found.push({ entry: handle.name, ...(await readLabel(/** @type {FileSystemFileHandle} */ (handle))) });
  }
  return found;
}

/**
 * Removes what is kept of a model, after the loads of its files that are under way; or all that is kept.
 * @param {string | null} model address; null: all
 * @param {AbortSignal} [signal]
 * @returns {Promise<number>} how many files there were
 */
export async function removeKept(model, signal) {
  const chosen = async () => (await keptFiles()).filter(({ label }) => model === null || label?.model === model);
  const release = model === null
    ? await hold(FOLDER, "exclusive", signal)
    : await holdFiles((await chosen()).flatMap(({ label }) => label?.url ?? []), signal);
  try {
    const folder = await existingFolder();
    const files = await chosen();
    for (const { entry } of files) {
      await whenFree(() => /** @type {FileSystemDirectoryHandle} */ (folder).removeEntry(entry));
    }
    return files.length;
  } finally {
    release();
  }
}

/**
 * @param {string} name
 * @param {LockMode} mode
 * @param {AbortSignal} [signal]
 * @returns {Promise<() => void>}
 */
function hold(name, mode, signal) {
  return new Promise((resolve, reject) => {
    const options = signal ? { mode, signal } : { mode };
    const held = navigator.locks.request(name, options, () => new Promise((/** @type {(value: void) => void} */ release) => resolve(release)));
    held.catch(reject);
  });
}

async function openFolder() {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(FOLDER, { create: true });
}

/** @returns {Promise<FileSystemDirectoryHandle | null>} null where nothing was ever kept, or nothing can be */
async function existingFolder() {
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle(FOLDER);
  } catch {
    return null;
  }
}

/**
 * @param {FileSystemFileHandle} file
 * @returns {Promise<SyncAccessHandle>}
 */
function openHandle(file) {
  return whenFree(() => /** @type {any} */ (file).createSyncAccessHandle());
}

/**
 * Does something to a file as soon as nobody has it open.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function whenFree(work) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const busy = /** @type {DOMException} */ (error).name === "NoModificationAllowedError";
      if (!busy || attempt === OPEN_ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, OPEN_PAUSE_MS));
  }
}

/**
 * @param {Label} label
 * @returns {Uint8Array<ArrayBuffer>}
 */
function labelBytes(label) {
  const json = new TextEncoder().encode(JSON.stringify(label));
  if (json.length > LABEL_BYTES - LABEL_START) throw new Error("its address is too long");
  const bytes = new Uint8Array(LABEL_BYTES - LABEL_START);
  bytes.set(json);
  return bytes;
}

/**
 * @param {FileSystemFileHandle} handle
 * @returns {Promise<{ label: Label | null, storedBytes: number }>}
 */
async function readLabel(handle) {
  try {
    const head = await readBeginning(handle, LABEL_BYTES);
    const json = new TextDecoder().decode(head.subarray(LABEL_START)).replace(/\0+$/, "");
    /** @type {Label} */
    const label = JSON.parse(json);
    const chunks = Math.ceil(label.size / CHUNK_BYTES);
    const journal = (await readBeginning(handle, LABEL_BYTES + DIGEST_BYTES * chunks)).subarray(LABEL_BYTES);
    let storedBytes = 0;
    for (let index = 0; index < chunks; index++) {
      const digest = journal.subarray(DIGEST_BYTES * index, DIGEST_BYTES * (index + 1));
      if (digest.some((byte) => byte !== 0)) storedBytes += Math.min(CHUNK_BYTES, label.size - index * CHUNK_BYTES);
    }
    return { label, storedBytes };
  } catch {
    return { label: null, storedBytes: 0 };
  }
}

/**
 * @param {FileSystemFileHandle} handle
 * @param {number} length
 */
async function readBeginning(handle, length) {
  for (let attempt = 1; ; attempt++) {
    try {
      return new Uint8Array(await (await handle.getFile()).slice(0, length).arrayBuffer());
    } catch (error) {
      // A file that was written to since it was looked at.
      const changed = /** @type {DOMException} */ (error).name === "NotReadableError";
      if (!changed || attempt === OPEN_ATTEMPTS) throw error;
    }
  }
}

/** @param {string} text */
async function hexDigest(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
