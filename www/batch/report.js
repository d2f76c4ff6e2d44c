// @ts-check
// A batch as files that others can read, and as a link that sets the same one up again.

import { MODES } from "../semcot.js";
import { summaryOf } from "./batch.js";

/** @typedef {import("../semcot.js").Mode} Mode */

/**
 * What is run. `questions` are the visitor's own; else they are made of `family` and `seed`.
 * @typedef {object} Setup
 * @property {string} family
 * @property {number} count
 * @property {number} seed
 * @property {Mode[]} modes
 * @property {number | null} implicitTokens as trained where null
 * @property {string} own the visitor's own questions, as pasted; empty where none
 */

/** Longest link that is made: longer ones are cut by what people send links with. */
const MAX_LINK = 8000;

/**
 * @param {Setup} setup
 * @param {string} address of the page
 * @returns {string | null} null where the visitor's own questions are too long for a link
 */
export function linkOf(setup, address) {
  const { family, count, seed, modes, implicitTokens, own } = setup;
  const parts = new URLSearchParams({ family, count: String(count), seed: String(seed), modes: modes.join(" ") });
  if (implicitTokens !== null) parts.set("k", String(implicitTokens));
  if (own !== "") parts.set("own", own);
  const url = new URL(address);
  url.hash = `batch&${parts}`;
  return url.href.length > MAX_LINK ? null : url.href;
}

/**
 * @param {string} hash of an address
 * @returns {Partial<Setup> | null} what of it can be used; null where it is no batch's
 */
export function setupOf(hash) {
  if (!hash.startsWith("#batch&")) return null;
  const parts = new URLSearchParams(hash.slice("#batch&".length));
  const whole = (/** @type {string} */ name, /** @type {number} */ low, /** @type {number} */ high) => {
    const value = Number(parts.get(name) ?? NaN);
    return Number.isInteger(value) && value >= low && value <= high ? value : undefined;
  };
  const modes = MODES.filter((mode) => parts.get("modes")?.split(" ").includes(mode));
  return {
    family: parts.get("family") ?? undefined,
    count: whole("count", 1, 10_000),
    seed: whole("seed", 0, 2 ** 32 - 1),
    modes: modes.length > 0 ? modes : undefined,
    implicitTokens: whole("k", 1, 1024) ?? null,
    own: parts.get("own") ?? "",
  };
}

/**
 * @param {import("../state.js").Batch} batch
 * @param {Record<string, unknown>} facts of device, browser and model
 */
export function jsonOf({ setup, questions, rows }, facts) {
  const summaries = setup.modes.map((mode) => summaryOf(rows, mode));
  return JSON.stringify({ ...facts, setup, interval: "Wilson, 95 %", warmUp: "one run a mode, not counted", summaries, questions, rows }, null, 1);
}

/**
 * @param {import("../state.js").Batch} batch
 * @param {Record<string, unknown>} facts
 */
export function csvOf({ questions, rows }, facts) {
  const { adapter, browser, version, model } = facts;
  const shared = [adapter, browser, version, model].map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  const heading = ["index", "question", "truth", "mode", "answer", "right", "ms", "tokens", "target_passes", "generator_passes", "error", "adapter", "browser", "version", "model"];
  const lines = rows.map((row) => {
    const { question, answer } = questions[row.index];
    return [row.index, question, answer, row.mode, row.answer, row.right, row.ms, row.tokens, row.targetPasses, row.generatorPasses, row.error ?? "", ...shared];
  });
  return [heading, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** @param {unknown} value */
function cell(value) {
  const text = String(value);
  // A spreadsheet would run what begins like a formula.
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
