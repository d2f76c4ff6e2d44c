// @ts-check
// What a model file is on its way to the engine, wherever it comes from: `download.js` has those on
// servers, `local.js` those that the visitor gives.

import { SemCoTError } from "./errors.js";

/**
 * What the engine reads a file through: never all of it at once.
 * @typedef {object} ByteSource
 * @property {string} name for messages
 * @property {number} byteLength NaN while nobody knows
 * @property {(offset: number, length: number) => Promise<Uint8Array>} read
 */

/**
 * A file being brought. Until `complete` has ended, only its beginning should be read.
 * @typedef {object} Bringing
 * @property {import("./download.js").RemoteModelFile | import("./local.js").LocalModelFile} known what is known
 *   of it by now: with that it can be opened again
 * @property {Storage} storage
 * @property {boolean} cached whether nothing of it had to be fetched
 * @property {"download" | "verify"} phase
 * @property {number} loadedBytes that are there, or checked
 * @property {(onProgress: () => void) => Promise<void>} findKept
 * @property {(newDigest: () => Digest, onProgress: () => void) => Promise<void>} complete brings and checks it
 * @property {() => void} close lets go of what is open; nothing can be read after it
 */

/** @typedef {ByteSource & Bringing} ModelSource */

/**
 * @typedef {{ update(bytes: Uint8Array): void, hex(): string }} Digest a running SHA-256
 */

/**
 * Where the bytes of a file are kept: for the next load, for this one only, or by the visitor.
 * @typedef {object} Storage
 * @property {"opfs" | "memory" | "local"} kind
 * @property {string | null} reason why in memory
 */

/**
 * A file that is not the one that was promised.
 * @param {string} name
 * @param {string | undefined} found
 * @param {string | undefined} promised
 * @param {string} advice
 */
export function damaged(name, found, promised, advice) {
  return new SemCoTError(
    "integrity",
    `${name} is damaged or another file: its SHA-256 is ${found}, semcot.json says ${promised}. Load again; if it stays, ${advice}.`,
  );
}
