// @ts-check
// Model files kept in the browser's private file system (OPFS), chunk by chunk. A file there begins
// with a journal, the SHA-256 of every chunk that was written, and its data follow. Whatever is cut
// off midway (an abort, a closed tab), a chunk that does not match its entry is simply not there.

import { SemCoTError } from "./errors.js";

/** Folder of the cache. */
const FOLDER = "semcot-models";
/** Part of the name of every file: another layout is another file. */
const LAYOUT = 1;
/** What is fetched, checked and kept at a time: small enough to lose, large enough for a request. */
export const CHUNK_BYTES = 4 << 20;
const DIGEST_BYTES = 32;
/** A handle whose owner has just been ended is given free a moment later. */
const OPEN_ATTEMPTS = 40;
const OPEN_PAUSE_MS = 50;

/**
 * What only workers have, and the types of pages therefore do not.
 * @typedef {object} SyncAccessHandle
 * @property {(into: Uint8Array, options: { at: number }) => number} read
 * @property {(from: Uint8Array, options: { at: number }) => number} write
 * @property {(size: number) => void} truncate
 * @property {() => void} close
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
    this.#dataOffset = Math.ceil((DIGEST_BYTES * (1 + Math.ceil(size / CHUNK_BYTES))) / 4096) * 4096;
  }

  /**
   * Opens what is kept of a file, or a place for it. Earlier states of the same URL are removed.
   * @param {string} url
   * @param {number} size
   * @param {string} version tells states of the file apart: a SHA-256, an ETag
   * @returns {Promise<CacheEntry>} rejects where the browser or this thread has no such place
   */
  static async open(url, size, version) {
    const folder = await openFolder();
    const prefix = `${(await hexDigest(url)).slice(0, 24)}-`;
    const name = prefix + (await hexDigest(JSON.stringify([LAYOUT, CHUNK_BYTES, size, version]))).slice(0, 24);
    for await (const other of folder.keys()) {
      if (other.startsWith(prefix) && other !== name) await folder.removeEntry(other).catch(() => {});
    }
    const file = await folder.getFileHandle(name, { create: true });
    return new CacheEntry(await openHandle(file), size);
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
    const digest = this.#read(DIGEST_BYTES * (1 + index), DIGEST_BYTES);
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
    this.#write(DIGEST_BYTES * (1 + index), digest);
  }

  /**
   * @param {number} offset in the model file
   * @param {number} length
   */
  read(offset, length) {
    return this.#read(this.#dataOffset + offset, length);
  }

  /** Forgets everything. */
  clear() {
    this.#handle.truncate(0);
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
 * @param {AbortSignal} signal
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

/** Removes all that is kept, after the loads that are under way. */
export async function clearCache() {
  const release = await hold(FOLDER, "exclusive");
  try {
    const root = await navigator.storage.getDirectory();
    for (let attempt = 1; ; attempt++) {
      try {
        return await root.removeEntry(FOLDER, { recursive: true });
      } catch (error) {
        const { name } = /** @type {DOMException} */ (error);
        if (name === "NotFoundError") return;
        if (name !== "NoModificationAllowedError" || attempt === OPEN_ATTEMPTS) throw SemCoTError.from(error);
      }
      await new Promise((resolve) => setTimeout(resolve, OPEN_PAUSE_MS));
    }
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

/**
 * @param {FileSystemFileHandle} file
 * @returns {Promise<SyncAccessHandle>}
 */
async function openHandle(file) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await /** @type {any} */ (file).createSyncAccessHandle();
    } catch (error) {
      const busy = /** @type {DOMException} */ (error).name === "NoModificationAllowedError";
      if (!busy || attempt === OPEN_ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, OPEN_PAUSE_MS));
  }
}

/** @param {string} text */
async function hexDigest(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
