// @ts-check
// A model file on a server: fetched in chunks, several at a time, kept where the browser allows it,
// checked against what was promised, and read by the engine in slices. It is never whole in the
// wasm's memory, and of the script's only the chunks under way.

import { CHUNK_BYTES, CacheEntry } from "./cache.js";
import { SemCoTError, throwIfAborted } from "./errors.js";
import { askFacts, cutShort, fetchRange, fetchWhole } from "./ranges.js";

/** Requests under way at once. */
const LANES = 4;

/**
 * What the engine reads a file through: never all of it at once.
 * @typedef {object} ByteSource
 * @property {string} name for messages
 * @property {number} byteLength
 * @property {(offset: number, length: number) => Promise<Uint8Array>} read
 */

/**
 * A file as a manifest promises it, or only its URL.
 * @typedef {{ url: string, name: string, bytes?: number, sha256?: string }} ModelFile
 */

/**
 * @typedef {{ update(bytes: Uint8Array): void, hex(): string }} Digest a running SHA-256
 */

/**
 * Where the bytes of a file are kept.
 * @typedef {object} Storage
 * @property {"opfs" | "memory"} kind
 * @property {string | null} reason why not in OPFS
 */

/**
 * How far the bringing is: bytes of this file fetched, or checked.
 * @callback OnBytes
 * @param {"download" | "verify"} phase
 * @param {number} loadedBytes
 */

/** @implements {ByteSource} */
export class RemoteFile {
  name;
  byteLength;
  /** @type {Storage} */
  storage = { kind: "opfs", reason: null };
  /** Whether no byte of it had to be fetched. */
  cached = true;
  /** @type {import("./ranges.js").Remote} */
  #remote;
  /** @type {string | undefined} */
  #sha256;
  /** @type {CacheEntry | null} */
  #entry = null;
  /** Chunks that are not in the entry. @type {Map<number, Blob>} */
  #memory = new Map();
  /** Which chunks are there and match their digest. @type {boolean[]} */
  #present = [];
  #presentBytes = 0;
  /** Bytes of the chunks under way. */
  #comingBytes = 0;

  /**
   * Use [`RemoteFile.open`].
   * @param {ModelFile} file
   * @param {number} size
   * @param {AbortSignal} signal
   */
  constructor({ url, name, sha256 }, size, signal) {
    this.name = name;
    this.byteLength = size;
    this.#sha256 = sha256;
    this.#remote = { url, name, signal, version: null, size };
  }

  /**
   * Finds out what is not promised, and what of the file is kept. Nothing of its body is fetched.
   * @param {ModelFile} file
   * @param {AbortSignal} signal
   * @returns {Promise<RemoteFile>}
   */
  static async open(file, signal) {
    const remote = { url: file.url, name: file.name, signal, version: null, size: null };
    const promised = file.bytes !== undefined && file.sha256 !== undefined;
    const facts = promised ? { size: file.bytes ?? null, version: null } : await askFacts(remote);
    const size = file.bytes ?? facts.size;
    if (size === null) throw new SemCoTError("network", `${file.name}: the server at ${file.url} does not say how large it is.`);
    const opened = new RemoteFile(file, size, signal);
    // Promised bytes are checked by their digest, whatever the server calls them.
    if (file.sha256 === undefined) opened.#remote.version = facts.version;
    await opened.#openEntry(file.sha256 ?? facts.version);
    return opened;
  }

  /**
   * Brings what is missing, and checks the whole.
   * @param {() => Digest} newDigest
   * @param {OnBytes} onBytes
   */
  async complete(newDigest, onBytes) {
    await this.#findKept(onBytes);
    const resumed = this.#presentBytes > 0;
    if (this.#entry?.verified && this.#presentBytes === this.byteLength) return;
    let found = await this.#bring(newDigest, onBytes);
    if (found !== this.#sha256 && resumed) {
      // What was kept may be of another state of the file.
      this.#forget();
      found = await this.#bring(newDigest, onBytes);
    }
    if (found !== this.#sha256) {
      this.#forget();
      throw new SemCoTError(
        "integrity",
        `${this.name} is damaged or another file: its SHA-256 is ${found}, semcot.json says ${this.#sha256}. Load again; if it stays, fetch the model folder again.`,
      );
    }
    this.#keep((entry) => (entry.verified = true));
  }

  /**
   * Bytes of the file, once it is complete.
   * @param {number} offset
   * @param {number} length
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async read(offset, length) {
    const [first, last] = [Math.floor(offset / CHUNK_BYTES), Math.ceil((offset + length) / CHUNK_BYTES)];
    if (this.#memory.size === 0 && this.#entry !== null) return this.#entry.read(offset, length);
    const bytes = new Uint8Array(length);
    for (let index = first; index < last; index++) {
      const start = index * CHUNK_BYTES;
      const [from, to] = [Math.max(offset, start), Math.min(offset + length, start + CHUNK_BYTES)];
      const blob = this.#memory.get(index);
      const part = blob === undefined
        ? this.#entry?.read(from, to - from)
        : new Uint8Array(await blob.slice(from - start, to - start).arrayBuffer());
      bytes.set(/** @type {Uint8Array} */ (part), from - offset);
    }
    return bytes;
  }

  /** Lets go of what is open; nothing can be read after it. */
  close() {
    this.#entry?.close();
    this.#entry = null;
    this.#memory.clear();
  }

  /** @param {string | null} version */
  async #openEntry(version) {
    if (version === null) {
      this.storage = { kind: "memory", reason: "the server gives no ETag or Last-Modified, by which a changed file could be told" };
      return;
    }
    try {
      this.#entry = await CacheEntry.open(this.#remote.url, this.byteLength, version);
    } catch (error) {
      this.storage = { kind: "memory", reason: `no place to keep files (${error instanceof Error ? error.message : error})` };
    }
  }

  /**
   * Checks the chunks that are kept against the digests that they were written with.
   * @param {OnBytes} onBytes
   */
  async #findKept(onBytes) {
    for (let index = 0; this.#entry !== null && index < this.#chunks; index++) {
      const digest = this.#entry.digestOf(index);
      if (digest === null) continue;
      const found = await sha256(this.#entry.read(index * CHUNK_BYTES, this.#lengthOf(index)));
      throwIfAborted(this.#remote.signal);
      if (!found.every((byte, at) => byte === digest[at])) continue;
      this.#present[index] = true;
      this.#presentBytes += this.#lengthOf(index);
      onBytes("verify", this.#presentBytes);
    }
  }

  /**
   * Fetches the chunks that are missing, and hashes all of them in order as they come.
   * @param {() => Digest} newDigest
   * @param {OnBytes} onBytes
   * @returns {Promise<string | undefined>} the SHA-256, where one was promised
   */
  async #bring(newDigest, onBytes) {
    const digest = this.#sha256 === undefined ? null : newDigest();
    let hashed = 0;
    let hashing = Promise.resolve();
    const hashPresent = async () => {
      for (; digest !== null && this.#present[hashed]; hashed++) {
        digest.update(await this.read(hashed * CHUNK_BYTES, this.#lengthOf(hashed)));
      }
    };
    const onChunk = () => {
      hashing = hashing.then(hashPresent);
      // A failure is met where it is awaited.
      hashing.catch(() => {});
    };
    onChunk();
    await this.#fetchMissing((/** @type {number} */ bytes) => onBytes("download", bytes), onChunk);
    onBytes("verify", this.byteLength);
    await hashing;
    throwIfAborted(this.#remote.signal);
    return digest?.hex();
  }

  /**
   * @param {(loadedBytes: number) => void} onLoaded
   * @param {() => void} onChunk
   */
  async #fetchMissing(onLoaded, onChunk) {
    const missing = Array.from({ length: this.#chunks }, (_, index) => index).filter((index) => !this.#present[index]);
    if (missing.length === 0) return;
    this.cached = false;
    this.#keep((entry) => (entry.verified = false));
    // Whether the server knows ranges shows in its first answer.
    const whole = await this.#fetchChunk(/** @type {number} */ (missing.shift()), onLoaded, onChunk);
    if (whole !== null) return this.#fetchStream(whole, onLoaded, onChunk);

    const stop = new AbortController();
    const remote = { ...this.#remote, signal: AbortSignal.any([this.#remote.signal, stop.signal]) };
    const lane = async () => {
      for (let index = missing.shift(); index !== undefined; index = missing.shift()) {
        const answer = await this.#fetchChunk(index, onLoaded, onChunk, remote);
        await answer?.body?.cancel();
        if (answer) throw new SemCoTError("network", `${this.name}: the server sends ranges and then the whole file. Try again.`);
      }
    };
    const lanes = Array.from({ length: LANES }, lane);
    try {
      await Promise.all(lanes);
    } finally {
      // When one lane fails, the others end before anything is closed.
      stop.abort();
      await Promise.allSettled(lanes);
      this.#comingBytes = 0;
    }
  }

  /**
   * @param {number} index
   * @param {(loadedBytes: number) => void} onLoaded
   * @param {() => void} onChunk
   * @param {import("./ranges.js").Remote} [remote]
   * @returns {Promise<Response | null>} the whole file, where that is what the server sends
   */
  async #fetchChunk(index, onLoaded, onChunk, remote = this.#remote) {
    const bytes = new Uint8Array(this.#lengthOf(index));
    const whole = await fetchRange(remote, index * CHUNK_BYTES, bytes, (count) => {
      this.#comingBytes += count;
      onLoaded(this.#presentBytes + this.#comingBytes);
    });
    if (whole !== null) return whole;
    await this.#take(index, bytes);
    this.#comingBytes -= bytes.length;
    onChunk();
    return null;
  }

  /**
   * Takes the file from a server without ranges.
   * @param {Response} first
   * @param {(loadedBytes: number) => void} onLoaded
   * @param {() => void} onChunk
   */
  async #fetchStream(first, onLoaded, onChunk) {
    await fetchWhole(this.#remote, first, async (pieces) => {
      let [received, filled] = [0, 0];
      let chunk = new Uint8Array(this.#lengthOf(0));
      for await (let piece of pieces) {
        received += piece.length;
        if (received > this.byteLength) throw this.#wrongSize("more");
        while (piece.length > 0) {
          const part = piece.subarray(0, chunk.length - filled);
          chunk.set(part, filled);
          filled += part.length;
          piece = piece.subarray(part.length);
          if (filled < chunk.length) break;
          const index = Math.ceil((received - piece.length) / CHUNK_BYTES) - 1;
          if (!this.#present[index]) {
            await this.#take(index, chunk);
            onChunk();
          }
          [chunk, filled] = [new Uint8Array(this.#lengthOf(index + 1)), 0];
        }
        onLoaded(Math.max(received, this.#presentBytes));
      }
      // A server that says how much it sends, and sends it, will not send more another time.
      const complete = Number(first.headers.get("content-length")) === received;
      if (received < this.byteLength) throw complete ? this.#wrongSize(String(received)) : cutShort(received);
    });
  }

  /**
   * Keeps a chunk that has come: in memory where there is no room.
   * @param {number} index
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async #take(index, bytes) {
    const digest = await sha256(bytes);
    throwIfAborted(this.#remote.signal);
    if (!this.#keep((entry) => entry.writeChunk(index, bytes, digest))) this.#memory.set(index, new Blob([bytes]));
    this.#present[index] = true;
    this.#presentBytes += bytes.length;
  }

  /**
   * Writes to the entry. What does not fit is said in `storage`, and no reason to fail.
   * @param {(entry: CacheEntry) => void} write
   * @returns {boolean} whether it was written
   */
  #keep(write) {
    if (this.#entry === null || this.storage.kind === "memory") return false;
    try {
      write(this.#entry);
      return true;
    } catch (error) {
      const { name, message } = /** @type {DOMException} */ (error);
      const reason = name === "QuotaExceededError" ? "the browser gives no more room; SemCoT.clearCache() removes older models" : message;
      this.storage = { kind: "memory", reason };
      return false;
    }
  }

  #forget() {
    this.#entry?.clear();
    this.#memory.clear();
    this.#present = [];
    this.#presentBytes = 0;
  }

  get #chunks() {
    return Math.ceil(this.byteLength / CHUNK_BYTES);
  }

  /** @param {number} index */
  #lengthOf(index) {
    return Math.max(0, Math.min(CHUNK_BYTES, this.byteLength - index * CHUNK_BYTES));
  }

  /** @param {string} found */
  #wrongSize(found) {
    return new SemCoTError("integrity", `${this.name} should have ${this.byteLength} bytes and has ${found}. Fetch the model folder again.`);
  }
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
