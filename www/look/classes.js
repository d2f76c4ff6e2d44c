// @ts-check
// What a plot of many questions can be coloured by: classes that problems fall into by their truth.

/** @typedef {import("../semcot.js").Problem} Problem */

/** @typedef {"family" | "steps" | "first" | "last" | "answer"} Colouring */

/** In the order that they are offered. */
export const COLOURINGS = /** @type {readonly Colouring[]} */ (["last", "first", "steps", "answer", "family"]);

/** Bounds of the classes of numeric answers, and of counts of steps above which all are one class. */
const ANSWER_BIN = 5;
const MOST_ANSWER_BINS = 5;
const MOST_STEPS = 6;

/**
 * The class that a problem falls into: `key` is the same for the same class, and orders the legend.
 * @param {Problem} problem
 * @param {Colouring} colouring
 * @returns {{ key: string, kind: "family" | "operation" | "steps" | "number" | "word", value: string }}
 */
export function classOf(problem, colouring) {
  switch (colouring) {
    case "family":
      return { key: problem.family, kind: "family", value: problem.family };
    case "steps": {
      const value = problem.steps >= MOST_STEPS ? `${MOST_STEPS}+` : String(problem.steps);
      return { key: value, kind: "steps", value };
    }
    case "first":
    case "last": {
      const value = operationsOf(problem).at(colouring === "first" ? 0 : -1) ?? "";
      return { key: value, kind: "operation", value };
    }
    case "answer":
      return answerClass(problem.answer);
  }
}

/**
 * What is done in each step: `+`, `-`, or in coin problems `flip` and `no flip`.
 * @param {Problem} problem
 * @returns {string[]}
 */
export function operationsOf({ family, condensedReasoning }) {
  const steps = condensedReasoning.split(";").map((step) => step.trim());
  // A coin problem's first part says how the coin lies.
  if (family === "coin") return steps.slice(1).map((step) => step.split(":")[0].trim());
  return steps.flatMap((step) => step.match(/^\d+ ([-+]) /)?.[1] ?? []);
}

/**
 * @param {string} answer
 * @returns {ReturnType<typeof classOf>}
 */
function answerClass(answer) {
  const value = Number(answer);
  if (answer.trim() === "" || Number.isNaN(value)) return { key: `~${answer}`, kind: "word", value: answer };
  const bin = Math.max(0, Math.min(MOST_ANSWER_BINS - 1, Math.floor(value / ANSWER_BIN)));
  const low = bin * ANSWER_BIN;
  const text = bin === MOST_ANSWER_BINS - 1 ? `${low}+` : `${low}–${low + ANSWER_BIN - 1}`;
  return { key: String(bin), kind: "number", value: text };
}

/**
 * Vectors of a question as one: side by side, their mean, or one of them.
 * @param {import("../semcot.js").Inspection} inspection
 * @param {string} what `all`, `mean`, or the number of one, from 1 on
 * @returns {Float32Array}
 */
export function combined({ values, hiddenSize, implicitTokens }, what) {
  if (what === "all") return values;
  const vector = (/** @type {number} */ index) => values.subarray(index * hiddenSize, (index + 1) * hiddenSize);
  if (what !== "mean") return vector(Math.min(implicitTokens, Number(what)) - 1);
  const mean = new Float32Array(hiddenSize);
  for (let index = 0; index < implicitTokens; index++) {
    vector(index).forEach((value, at) => (mean[at] += value / implicitTokens));
  }
  return mean;
}
