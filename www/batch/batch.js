// @ts-check
// Many questions in turn, every one in every chosen mode: what is measured, kept apart from how it is shown.

import { SemCoTError, throwIfAborted } from "../errors.js";
import { quantile, wilson } from "./statistics.js";

/** @typedef {import("../semcot.js").Mode} Mode */
/** @typedef {import("./questions.js").Question} Question */

/**
 * One answer, or why there is none (`error`: the question cannot be asked of this model).
 * @typedef {object} Row
 * @property {number} index of the question
 * @property {Mode} mode
 * @property {string} answer
 * @property {boolean} right
 * @property {number} ms
 * @property {number} tokens
 * @property {number} targetPasses
 * @property {number} generatorPasses
 * @property {string | null} error
 */

/** Lets a batch go on, or holds it between two questions. */
export class Gate {
  #open = () => {};
  #wait = Promise.resolve();
  paused = false;

  pause() {
    if (this.paused) return;
    this.paused = true;
    this.#wait = new Promise((resolve) => (this.#open = resolve));
  }

  resume() {
    this.paused = false;
    this.#open();
  }

  /** @param {AbortSignal} signal */
  async pass(signal) {
    if (!this.paused) return;
    const stopped = new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
    await Promise.race([this.#wait, stopped]);
  }
}

/**
 * Asks every question in every mode. The first of each mode is asked once before, uncounted; which mode
 * comes first changes from question to question, so that none is always the one behind another.
 * @param {import("../semcot.js").SemCoT} engine
 * @param {readonly Question[]} questions
 * @param {readonly Mode[]} modes
 * @param {{ implicitTokens?: number, signal: AbortSignal, gate: Gate, onRow: (row: Row) => void }} options
 */
export async function runBatch(engine, questions, modes, { implicitTokens, signal, gate, onRow }) {
  for (const mode of modes) await answerOf(engine, questions[0], 0, mode, { implicitTokens, signal });
  for (const [index, question] of questions.entries()) {
    for (let turn = 0; turn < modes.length; turn++) {
      await gate.pass(signal);
      throwIfAborted(signal);
      onRow(await answerOf(engine, question, index, modes[(index + turn) % modes.length], { implicitTokens, signal }));
    }
  }
}

/**
 * @param {import("../semcot.js").SemCoT} engine
 * @param {Question} question
 * @param {number} index
 * @param {Mode} mode
 * @param {{ implicitTokens?: number, signal: AbortSignal }} options
 * @returns {Promise<Row>}
 */
async function answerOf(engine, question, index, mode, options) {
  try {
    const { answer, ms, tokens, targetPasses, generatorPasses } = await engine.ask(question.question, { mode, ...options });
    return { index, mode, answer, right: answer === question.answer, ms: ms.total, tokens, targetPasses, generatorPasses, error: null };
  } catch (caught) {
    const error = SemCoTError.from(caught);
    if (error.code !== "bad-input") throw error;
    return { index, mode, answer: "", right: false, ms: 0, tokens: 0, targetPasses: 0, generatorPasses: 0, error: error.message };
  }
}

/**
 * What the rows of a mode come to; null while none was answered.
 * @param {readonly Row[]} rows
 * @param {Mode} mode
 */
export function summaryOf(rows, mode) {
  const own = rows.filter((row) => row.mode === mode);
  const answered = own.filter((row) => row.error === null);
  if (answered.length === 0) return null;
  const times = answered.map((row) => row.ms);
  const right = answered.filter((row) => row.right).length;
  return {
    mode,
    n: answered.length,
    right,
    refused: own.length - answered.length,
    accuracy: wilson(right, answered.length),
    ms: { median: quantile(times, 0.5), low: quantile(times, 0.25), high: quantile(times, 0.75) },
    tokens: quantile(answered.map((row) => row.tokens), 0.5),
    targetPasses: quantile(answered.map((row) => row.targetPasses), 0.5),
  };
}
