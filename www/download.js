// @ts-check
// Fetches a file of a model into a Blob, outside the wasm's memory, and checks on the way that it is
// the file that was promised. The engine then reads it in slices.

import { SemCoTError, throwIfAborted } from "./errors.js";

/**
 * What the engine reads a file through: never all of it at once.
 * @typedef {object} ByteSource
 * @property {string} name for messages
 * @property {number} byteLength
 * @property {(offset: number, length: number) => Promise<Uint8Array>} read
 */

/**
 * @typedef {object} DownloadOptions
 * @property {string} [name] what messages call the file
 * @property {number} [bytes] the promised size
 * @property {string} [sha256] the promised digest, in hexadecimal
 * @property {AbortSignal} [signal]
 * @property {(bytes: number, total: number | null) => void} [onBytes] after every piece: what came so far,
 *   and the whole where the server says it
 */

/**
 * @typedef {{ update(bytes: Uint8Array): void, hex(): string }} Digest a running SHA-256
 */

/**
 * Fetches and checks one file.
 * @param {string} url
 * @param {() => Digest} newDigest
 * @param {DownloadOptions} options
 * @returns {Promise<ByteSource>}
 */
export async function download(url, newDigest, options) {
  const { bytes, sha256, signal, onBytes } = options;
  const name = options.name ?? url.split("/").at(-1) ?? url;
  const response = await get(url, name, signal);
  const total = bytes ?? (Number(response.headers.get("content-length")) || null);
  const digest = sha256 === undefined ? null : newDigest();

  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  let received = 0;
  try {
    const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      throwIfAborted(signal);
      parts.push(value);
      received += value.byteLength;
      digest?.update(value);
      onBytes?.(received, total);
      // More than was promised is refused at once, not after it has filled the memory.
      if (bytes !== undefined && received > bytes) break;
    }
  } catch (error) {
    throwIfAborted(signal);
    const reason = error instanceof Error ? error.message : String(error);
    throw new SemCoTError("network", `${name}: the connection ended after ${received} bytes (${reason}). Try again.`);
  }

  if (bytes !== undefined && received !== bytes) {
    const found = received > bytes ? "more" : `${received}`;
    throw new SemCoTError("integrity", `${name} should have ${bytes} bytes and has ${found}. Fetch the model folder again.`);
  }
  const found = digest?.hex();
  if (found !== sha256) {
    throw new SemCoTError(
      "integrity",
      `${name} is damaged or another file: its SHA-256 is ${found}, semcot.json says ${sha256}. Fetch the model folder again.`,
    );
  }
  return fromBlob(name, new Blob(parts));
}

/**
 * Fetches a small text file.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>}
 */
export async function downloadText(url, signal) {
  const name = url.split("/").at(-1) ?? url;
  const response = await get(url, name, signal);
  try {
    return await response.text();
  } catch (error) {
    throwIfAborted(signal);
    throw new SemCoTError("network", `${name}: ${error instanceof Error ? error.message : error}. Try again.`);
  }
}

/**
 * @param {string} url
 * @param {string} name
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<Response>}
 */
async function get(url, name, signal) {
  throwIfAborted(signal);
  let response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw new SemCoTError("network", `${name} could not be fetched from ${url} (${error instanceof Error ? error.message : error}).`);
  }
  if (!response.ok || !response.body) {
    throw new SemCoTError("network", `${name} could not be fetched from ${url}: the server says ${response.status}.`);
  }
  return response;
}

/**
 * @param {string} name
 * @param {Blob} blob
 * @returns {ByteSource}
 */
function fromBlob(name, blob) {
  return {
    name,
    byteLength: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}
