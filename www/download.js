// @ts-check
// A model file on a server: fetched in chunks, several at a time, kept where the browser allows it,
// checked against what was promised, and read by the engine in slices. It is never whole in the
// wasm's memory, and of the script's only the chunks under way.

import { CHUNK_BYTES, CacheEntry } from "./cache.js";
import { SemCoTError, throwIfAborted } from "./errors.js";
import { askFacts, cutShort, fetchRange, fetchWhole } from "./ranges.js";
import { damaged } from "./sources.js";

/** A file's own requests under way at once; there are no more of all files together. */
export const LANES = 4;
/** Why files are not kept where there is too little room. */
const NO_ROOM = "the browser gives no more room; SemCoT.cache.delete removes older models";

/**
 * A file on a server as a manifest promises it, or only its URL.
 * `version` is what its server called its state.
 * @typedef {{ url: string, name: string, bytes?: number, sha256?: string, version?: string | null }} RemoteModelFile
 */

/**
 * What a file is loaded for: the model's address, and how many files it has.
 * @typedef {{ model: string, files: number }} Purpose
 */

/** @typedef {import("./sources.js").Digest} Digest */
/** @typedef {import("./sources.js").Storage} Storage */

/** @typedef {import("./sources.js").ModelSource} ModelSource */

/** @implements {ModelSource} */
export class RemoteFile {
  name;
  byteLength;
  /** @type {Storage} */
  storage = { kind: "opfs", reason: null };
  cached = true;
  /** @type {"download" | "verify"} */
  phase = "verify";
  /** @type {import("./ranges.js").Remote} */
  #remote;
  #lanes;
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
  /** The file's beginning, as far as it was read before its chunks were brought. */
  #head = new Uint8Array(0);
  /** How much of it is not yet in a chunk. */
  #headBytes = 0;
  /** Whether the server has sent the whole file when it was asked for a part; without a size, nobody asks. */
  #sendsWhole;
  /** Whether it has sent a part. */
  #sendsParts = false;

  /**
   * Use [`RemoteFile.open`].
   * @param {RemoteModelFile} file
   * @param {number} size NaN where the server does not say
   * @param {AbortSignal} signal
   * @param {import("./ranges.js").Lanes} lanes
   */
  constructor({ url, name, sha256 }, size, signal, lanes) {
    this.name = name;
    this.byteLength = size;
    this.#sha256 = sha256;
    this.#lanes = lanes;
    this.#sendsWhole = Number.isNaN(size);
    this.#remote = { url, name, signal, version: null, size: Number.isNaN(size) ? null : size };
  }

  /**
   * Finds out what is not promised, and what of the file is kept. Nothing of its body is fetched.
   * @param {RemoteModelFile} file
   * @param {Purpose} purpose
   * @param {AbortSignal} signal
   * @param {import("./ranges.js").Lanes} lanes
   * @returns {Promise<RemoteFile>}
   */
  static async open(file, purpose, signal, lanes) {
    const remote = { url: file.url, name: file.name, signal, version: null, size: null };
    const version = file.version ?? null;
    const known = file.bytes !== undefined && (file.sha256 !== undefined || version !== null);
    const facts = known ? { size: file.bytes ?? null, version } : await askFacts(remote);
    const opened = new RemoteFile(file, file.bytes ?? facts.size ?? NaN, signal, lanes);
    // Promised bytes are checked by their digest, whatever the server calls them.
    if (file.sha256 === undefined) opened.#remote.version = facts.version;
    await opened.#openEntry(file.sha256 ?? facts.version, purpose);
    return opened;
  }

  /** @returns {RemoteModelFile} */
  get known() {
    const { url, name, version } = this.#remote;
    const bytes = Number.isNaN(this.byteLength) ? undefined : this.byteLength;
    return { url, name, bytes, sha256: this.#sha256, version };
  }

  get loadedBytes() {
    const bytes = this.#presentBytes + this.#comingBytes + this.#headBytes;
    return bytes > this.byteLength ? this.byteLength : bytes;
  }

  /**
   * Brings what is missing, and checks the whole.
   * @param {() => Digest} newDigest
   * @param {() => void} onProgress
   */
  async complete(newDigest, onProgress) {
    const resumed = this.#presentBytes > 0;
    if (this.#entry?.verified && this.#presentBytes === this.byteLength) return;
    let found = await this.#bring(newDigest, onProgress);
    if (found !== this.#sha256 && resumed) {
      // What was kept may be of another state of the file.
      this.#forget();
      found = await this.#bring(newDigest, onProgress);
    }
    if (found !== this.#sha256) {
      this.#forget();
      throw damaged(this.name, found, this.#sha256, "fetch the model folder again");
    }
    this.#keep((entry) => (entry.verified = true));
  }

  /**
   * Bytes of the file. Before it is complete they are fetched with all that stands before them, and
   * kept for its chunks. Fewer come only where the size is not known and the file ends.
   * @param {number} offset
   * @param {number} length
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async read(offset, length) {
    const [first, last] = [Math.floor(offset / CHUNK_BYTES), Math.ceil((offset + length) / CHUNK_BYTES)];
    for (let index = first; index < last; index++) {
      if (!this.#present[index]) return this.#readHead(offset, length);
    }
    if (this.#memory.size === 0 && this.#entry !== null) return this.#entry.read(offset, length);
    const bytes = new Uint8Array(length);
    for (let index = first; index < last; index++) {
      const start = index * CHUNK_BYTES;
      const [from, to] = [Math.max(offset, start), Math.min(offset + length, start + CHUNK_BYTES)];
      const blob = this.#memory.get(index);
      const part = blob === undefined
        ? this.#entry?.read(from, to - from)
        : await readHeld(blob.slice(from - start, to - start), this.name);
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

  /**
   * @param {string | null} version
   * @param {Purpose} purpose
   */
  async #openEntry(version, { model, files }) {
    const unkept = (/** @type {string} */ reason) => (this.storage = { kind: "memory", reason });
    if (Number.isNaN(this.byteLength)) return unkept("the server does not say how large the file is");
    if (version === null) return unkept("the server gives no ETag or Last-Modified, by which a changed file could be told");
    try {
      const { url, name } = this.#remote;
      this.#entry = await CacheEntry.open({ model, files, url, name, size: this.byteLength, usedAt: Date.now() }, version);
    } catch (error) {
      unkept(isFull(error) ? NO_ROOM : `no place to keep files (${error instanceof Error ? error.message : error})`);
    }
  }

  /**
   * Checks the chunks that are kept against the digests that they were written with.
   * @param {() => void} onProgress
   */
  async findKept(onProgress) {
    for (let index = 0; this.#entry !== null && index < this.#chunks; index++) {
      const digest = this.#entry.digestOf(index);
      if (digest === null) continue;
      const found = await sha256(this.#entry.read(index * CHUNK_BYTES, this.#lengthOf(index)));
      throwIfAborted(this.#remote.signal);
      if (!found.every((byte, at) => byte === digest[at])) continue;
      this.#present[index] = true;
      this.#presentBytes += this.#lengthOf(index);
      onProgress();
    }
  }

  /**
   * @param {number} offset
   * @param {number} length
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async #readHead(offset, length) {
    const known = this.#head;
    const end = offset + length;
    if (known.length < end) {
      let head = new Uint8Array(end);
      head.set(known);
      this.cached = false;
      this.phase = "download";
      const missing = head.subarray(known.length);
      const remote = this.#remote;
      await this.#lanes.run(async () => {
        const whole = this.#sendsWhole ? null : await fetchRange(remote, known.length, missing, () => {});
        if (whole === null && !this.#sendsWhole) return void (this.#sendsParts = true);
        this.#sendsWhole = true;
        head = await this.#beginningOf(whole, head);
      });
      this.#head = head;
      this.#headBytes = head.length;
    }
    return this.#head.slice(offset, end);
  }

  /**
   * The first bytes of what a server sends whole; the rest is let go.
   * @param {Response | null} answer
   * @param {Uint8Array<ArrayBuffer>} into
   * @returns {Promise<Uint8Array<ArrayBuffer>>} shorter where the file is
   */
  async #beginningOf(answer, into) {
    let filled = 0;
    await fetchWhole(this.#remote, answer, async (pieces, length) => {
      if (length !== null && length !== (this.byteLength || length)) throw this.#wrongSize(String(length));
      filled = 0;
      for await (const piece of pieces) {
        const part = piece.subarray(0, into.length - filled);
        into.set(part, filled);
        filled += part.length;
        if (filled === into.length) return;
      }
      if (filled < this.byteLength) throw cutShort(filled);
    });
    return into.subarray(0, filled);
  }

  /**
   * Fetches the chunks that are missing, and hashes all of them in order as they come.
   * @param {() => Digest} newDigest
   * @param {() => void} onProgress
   * @returns {Promise<string | undefined>} the SHA-256, where one was promised
   */
  async #bring(newDigest, onProgress) {
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
    await this.#fetchMissing(onProgress, onChunk);
    [this.#head, this.#headBytes] = [new Uint8Array(0), 0];
    this.phase = "verify";
    onProgress();
    await hashing;
    throwIfAborted(this.#remote.signal);
    return digest?.hex();
  }

  /**
   * @param {() => void} onProgress
   * @param {() => void} onChunk
   */
  async #fetchMissing(onProgress, onChunk) {
    const missing = Array.from({ length: this.#chunks }, (_, index) => index).filter((index) => !this.#present[index]);
    if (missing.length === 0) return;
    this.cached = false;
    this.phase = "download";
    this.#keep((entry) => (entry.verified = false));
    const stream = (/** @type {Response | null} */ whole) => this.#lanes.run(() => this.#fetchStream(whole, onProgress, onChunk));
    if (this.#sendsWhole) return stream(null);
    if (!this.#sendsParts) {
      // Whether the server knows ranges shows in its first answer.
      const whole = await this.#fetchChunk(/** @type {number} */ (missing.shift()), onProgress, onChunk);
      if (whole !== null) return stream(whole);
    }

    const stop = new AbortController();
    const remote = { ...this.#remote, signal: AbortSignal.any([this.#remote.signal, stop.signal]) };
    const lane = async () => {
      for (let index = missing.shift(); index !== undefined; index = missing.shift()) {
        const answer = await this.#fetchChunk(index, onProgress, onChunk, remote);
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
   * @param {() => void} onProgress
   * @param {() => void} onChunk
   * @param {import("./ranges.js").Remote} [remote]
   * @returns {Promise<Response | null>} the whole file, where that is what the server sends
   */
  #fetchChunk(index, onProgress, onChunk, remote = this.#remote) {
    return this.#lanes.run(async () => {
      throwIfAborted(remote.signal);
      const start = index * CHUNK_BYTES;
      const bytes = new Uint8Array(this.#lengthOf(index));
      const known = this.#head.subarray(start, start + bytes.length);
      bytes.set(known);
      this.#comingBytes += known.length;
      this.#headBytes -= known.length;
      if (known.length < bytes.length) {
        const whole = await fetchRange(remote, start + known.length, bytes.subarray(known.length), (count) => {
          this.#comingBytes += count;
          onProgress();
        });
        if (whole !== null) return whole;
      } else {
        onProgress();
      }
      await this.#take(index, bytes);
      this.#comingBytes -= bytes.length;
      onChunk();
      return null;
    });
  }

  /**
   * Takes the file from a server without ranges.
   * @param {Response | null} first
   * @param {() => void} onProgress
   * @param {() => void} onChunk
   */
  async #fetchStream(first, onProgress, onChunk) {
    [this.#head, this.#headBytes, this.#comingBytes] = [new Uint8Array(0), 0, 0];
    await fetchWhole(this.#remote, first, async (pieces, length) => {
      let [received, filled] = [0, 0];
      let chunk = new Uint8Array(this.#lengthOf(0));
      const take = async (/** @type {number} */ index, /** @type {Uint8Array<ArrayBuffer>} */ bytes) => {
        if (this.#present[index]) return;
        await this.#take(index, bytes);
        onChunk();
      };
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
          await take(index, chunk);
          [chunk, filled] = [new Uint8Array(this.#lengthOf(index + 1)), 0];
        }
        this.#comingBytes = Math.max(0, received - this.#presentBytes);
        onProgress();
      }
      // A server that says how much it sends, and sends it, will not send more another time.
      if (received < this.byteLength) throw length === received ? this.#wrongSize(String(received)) : cutShort(received);
      if (Number.isNaN(this.byteLength)) {
        if (filled > 0) await take(Math.floor(received / CHUNK_BYTES), chunk.slice(0, filled));
        this.byteLength = received;
      }
      this.#comingBytes = 0;
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
      const reason = isFull(error) ? NO_ROOM : /** @type {Error} */ (error).message;
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

  /** Where the size is not known: one, in which the server's answer shows. */
  get #chunks() {
    return Number.isNaN(this.byteLength) ? 1 : Math.ceil(this.byteLength / CHUNK_BYTES);
  }

  /** @param {number} index */
  #lengthOf(index) {
    return Math.max(0, Math.min(CHUNK_BYTES, (this.byteLength || Infinity) - index * CHUNK_BYTES));
  }

  /** @param {string} found */
  #wrongSize(found) {
    return new SemCoTError("integrity", `${this.name} should have ${this.byteLength} bytes and has ${found}. Fetch the model folder again.`);
  }
}

/**
 * @param {unknown} error
 * @returns {boolean}
 */
function isFull(error) {
  return /** @type {DOMException} */ (error)?.name === "QuotaExceededError";
}

/**
 * A chunk that was not kept. The browser holds such where it pleases, and may have had no room there either.
 * @param {Blob} blob
 * @param {string} name
 */
async function readHeld(blob, name) {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    throw new SemCoTError("quota", `The browser has no room for ${name}, not even while it is loaded (${reason}). Remove models that are not needed (SemCoT.cache.delete), free space on the disk, or use a smaller model.`);
  }
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
