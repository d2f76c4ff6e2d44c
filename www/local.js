// @ts-check
// A model file that the visitor has given: read in slices where it lies, checked against what a
// manifest promises, copied nowhere.

import { SemCoTError, throwIfAborted } from "./errors.js";
import { damaged } from "./sources.js";

/** What is read and hashed at a time. */
const SLICE_BYTES = 4 << 20;

/**
 * A given file as a manifest promises it, or only itself.
 * @typedef {{ blob: Blob, name: string, bytes?: number, sha256?: string }} LocalModelFile
 */

/** @typedef {import("./sources.js").ModelSource} ModelSource */

/** @implements {ModelSource} */
export class LocalFile {
  name;
  byteLength;
  /** @type {import("./sources.js").Storage} */
  storage = { kind: "local", reason: null };
  cached = true;
  /** @type {"verify"} */
  phase = "verify";
  loadedBytes = 0;
  #blob;
  #promised;
  #signal;

  /**
   * @param {LocalModelFile} file
   * @param {AbortSignal} signal
   */
  constructor({ blob, name, ...promised }, signal) {
    this.name = name;
    this.byteLength = blob.size;
    this.#blob = blob;
    this.#promised = promised;
    this.#signal = signal;
  }

  /** @returns {LocalModelFile} */
  get known() {
    return { blob: this.#blob, name: this.name, ...this.#promised };
  }

  async findKept() {
    const { bytes = this.byteLength } = this.#promised;
    if (bytes !== this.byteLength) {
      throw new SemCoTError("integrity", `${this.name} should have ${bytes} bytes and has ${this.byteLength}. Choose the file that belongs to this semcot.json.`);
    }
  }

  /**
   * Checks the whole, where something is promised of it.
   * @param {() => import("./sources.js").Digest} newDigest
   * @param {() => void} onProgress
   */
  async complete(newDigest, onProgress) {
    const { sha256 } = this.#promised;
    const digest = sha256 === undefined ? null : newDigest();
    while (digest !== null && this.loadedBytes < this.byteLength) {
      const bytes = await this.read(this.loadedBytes, Math.min(SLICE_BYTES, this.byteLength - this.loadedBytes));
      throwIfAborted(this.#signal);
      digest.update(bytes);
      this.loadedBytes += bytes.length;
      onProgress();
    }
    this.loadedBytes = this.byteLength;
    const found = digest?.hex();
    if (found !== sha256) throw damaged(this.name, found, sha256, "choose the file that belongs to this semcot.json");
  }

  /**
   * @param {number} offset
   * @param {number} length
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async read(offset, length) {
    try {
      return new Uint8Array(await this.#blob.slice(offset, offset + length).arrayBuffer());
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      throw new SemCoTError("network", `${this.name} cannot be read any more (${reason}). Was it moved or changed? Choose it again.`);
    }
  }

  close() {}
}
