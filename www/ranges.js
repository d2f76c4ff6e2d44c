// @ts-check
// Requests that do not give up at the first drop: a range of a file, or the whole of it where the
// server knows no ranges. What the bytes are for is not known here.

import { SemCoTError, throwIfAborted } from "./errors.js";

/** Tries of one request, each going on where the last one ended. */
const MAX_ATTEMPTS = 5;
/** Before the second try; twice as long before each further one. */
const FIRST_PAUSE_MS = 250;
/** A server that asks to be left alone for longer is taken for one that does not answer. */
const LONGEST_PAUSE_MS = 60_000;
/** A connection that brings nothing for so long is taken for dead. */
const STALL_MS = 30_000;

/** What a later try may mend. */
class Interrupted extends Error {
  /** When the server wants to be asked again, where it says so. */
  afterMs = 0;
}

/** Lets so many requests run at once, whatever file they are of, in the order that they come. */
export class Lanes {
  #free;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {number} count */
  constructor(count) {
    this.#free = count;
  }

  /**
   * Runs work when there is room for it.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async run(work) {
    if (this.#free > 0) this.#free--;
    else await new Promise((/** @type {(value: void) => void} */ resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/**
 * A file on a server.
 * @typedef {object} Remote
 * @property {string} url
 * @property {string} name for messages
 * @property {AbortSignal} signal ends every request
 * @property {string | null} version what the server calls the state of the file; answers of another
 *   state are refused where one is given
 * @property {number | null} size answers that name another size are refused where one is given
 */

/**
 * What a server says of a file without sending it.
 * @typedef {object} Facts
 * @property {number | null} size
 * @property {string | null} version
 */

/**
 * Asks for a file's size and version.
 * @param {Remote} remote
 * @returns {Promise<Facts>}
 */
export function askFacts(remote) {
  return persist(remote, async () => {
    const head = await request(remote, { method: "HEAD" }, [405, 501]);
    const length = lengthOf(head);
    if (head.ok && length !== null) return { size: length, version: versionOf(head) };
    const response = await request(remote, { headers: { Range: "bytes=0-0" } }, [416]);
    await response.body?.cancel();
    const size = response.headers.get("content-range")?.match(/\/(\d+)$/)?.[1];
    return { size: size === undefined ? null : Number(size), version: versionOf(response) };
  });
}

/**
 * Fills `into` with a file's bytes from `start` on. Gives the answer back unread where it is the
 * whole file, because the server knows no ranges.
 * @param {Remote} remote
 * @param {number} start
 * @param {Uint8Array} into
 * @param {(bytes: number) => void} onBytes after every piece: how many came since the last call
 * @returns {Promise<Response | null>}
 */
export async function fetchRange(remote, start, into, onBytes) {
  let received = 0;
  return persist(remote, async () => {
    const range = `${start + received}-${start + into.length - 1}`;
    const response = await request(remote, { headers: { Range: `bytes=${range}` } }, [416]);
    if (response.status === 200) return response;
    const given = response.headers.get("content-range") ?? `bytes ${range}/*`;
    const total = Number(given.split("/")[1]);
    if (response.status === 416 || (remote.size !== null && !Number.isNaN(total) && total !== remote.size)) {
      await response.body?.cancel();
      throw new SemCoTError("integrity", `${remote.name} should have ${remote.size} bytes; the server sends ${given}. Fetch the model folder again.`);
    }
    if (response.status !== 206 || !given.startsWith(`bytes ${range}/`)) {
      await response.body?.cancel();
      throw new SemCoTError("network", `${remote.name}: asked for bytes ${range}, the server sends ${given}.`);
    }
    for await (const bytes of bodyOf(response, remote)) {
      if (received + bytes.length > into.length) throw new Interrupted("more came than was asked for");
      into.set(bytes, received);
      received += bytes.length;
      onBytes(bytes.length);
    }
    if (received < into.length) throw new Interrupted(`the connection ended after ${start + received} bytes`);
    return null;
  });
}

/**
 * Reads a whole file, from its start again after a drop.
 * @param {Remote} remote
 * @param {Response | null} first an answer to begin with
 * @param {(pieces: AsyncIterable<Uint8Array<ArrayBuffer>>, length: number | null) => Promise<void>} take
 *   called for every try, with the bytes that the server says it sends; who returns early lets the rest go
 */
export function fetchWhole(remote, first, take) {
  return persist(remote, async () => {
    const response = first ?? (await request(remote, {}));
    first = null;
    await take(bodyOf(response, remote), lengthOf(response));
  });
}

/**
 * A small text file.
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {Promise<string>}
 */
export function fetchText(url, signal) {
  const remote = { url, name: url.split("/").at(-1) ?? url, signal, version: null, size: null };
  return persist(remote, async () => {
    const response = await request(remote, { cache: "default" });
    try {
      return await response.text();
    } catch (error) {
      throw new Interrupted(reasonOf(error));
    }
  });
}

/** Says that fewer bytes came than there should be; a later try may bring them. */
export function cutShort(/** @type {number} */ bytes) {
  return new Interrupted(`the connection ended after ${bytes} bytes`);
}

/**
 * Tries until it works, with pauses that grow, a bounded number of times.
 * @template T
 * @param {Remote} remote
 * @param {() => Promise<T>} attempt
 * @returns {Promise<T>}
 */
async function persist({ url, name, signal }, attempt) {
  for (let tried = 1; ; tried++) {
    let afterMs = FIRST_PAUSE_MS * 2 ** (tried - 1);
    throwIfAborted(signal);
    try {
      return await attempt();
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof Interrupted)) throw error;
      afterMs = Math.max(afterMs, error.afterMs);
      if (afterMs > LONGEST_PAUSE_MS) {
        const seconds = Math.ceil(afterMs / 1000);
        throw new SemCoTError("network", `${name} could not be fetched from ${url}: ${error.message}, and asks to come back in ${seconds} seconds.`);
      }
      if (tried === MAX_ATTEMPTS) {
        const message = `${name} could not be fetched from ${url}: ${error.message}, ${tried} times. Try again.`;
        throw new SemCoTError("network", message);
      }
    }
    await pause(afterMs, signal);
  }
}

/**
 * @param {Remote} remote
 * @param {RequestInit} init
 * @param {readonly number[]} [accepted] statuses besides success that are an answer
 * @returns {Promise<Response>}
 */
async function request({ url, name, signal, version }, init, accepted = []) {
  let response;
  try {
    // What is kept is kept by us: the browser's own copy would take the place twice.
    response = await withinStall(fetch(url, { cache: "no-store", ...init, signal }));
  } catch (error) {
    throw error instanceof Interrupted ? error : new Interrupted(reasonOf(error));
  }
  const { status } = response;
  if (status >= 500 || status === 408 || status === 429) {
    if (!accepted.includes(status)) {
      await response.body?.cancel();
      const refusal = new Interrupted(`the server says ${status}`);
      refusal.afterMs = retryAfterMs(response.headers.get("retry-after"));
      throw refusal;
    }
  } else if (!response.ok && !accepted.includes(status)) {
    throw new SemCoTError("network", `${name} could not be fetched from ${url}: the server says ${status}.`);
  }
  const found = versionOf(response);
  if (version !== null && found !== null && found !== version) {
    throw new SemCoTError("network", `${name} was changed at ${url} while it was fetched. Load it again.`);
  }
  return response;
}

/**
 * The pieces of a body as they come.
 * @param {Response} response
 * @param {Remote} remote
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 */
async function* bodyOf(response, { signal }) {
  const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (response.body).getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await withinStall(reader.read()).catch((error) => {
        throw new Interrupted(reasonOf(error));
      });
      throwIfAborted(signal);
      ended = done;
      if (done) return;
      yield value;
    }
  } finally {
    // Who stops reading lets the connection go.
    if (!ended) reader.cancel().catch(() => {});
  }
}

/**
 * What a server calls the state of a file, or null where it does not say or the page may not see it.
 * @param {Response} response
 */
function versionOf({ headers }) {
  return headers.get("etag") ?? headers.get("last-modified");
}

/**
 * What `Retry-After` asks for: seconds, or a time.
 * @param {string | null} value
 */
function retryAfterMs(value) {
  if (value === null) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

/**
 * The bytes of a body, where they are known beforehand: of a compressed one they are not.
 * @param {Response} response
 * @returns {number | null}
 */
function lengthOf({ headers }) {
  const length = headers.get("content-encoding") === null ? headers.get("content-length") : null;
  return length === null ? null : Number(length);
}

/**
 * @template T
 * @param {Promise<T>} work
 * @returns {Promise<T>}
 */
function withinStall(work) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Interrupted(`nothing came for ${STALL_MS / 1000} seconds`)), STALL_MS);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
function pause(ms, signal) {
  return new Promise((/** @type {(value: void) => void} */ resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}
