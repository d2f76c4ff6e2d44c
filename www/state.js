// @ts-check
// All that the page knows, as one object. Views are functions of it; `page.js` changes it.

import { MODES } from "./semcot.js";

/** @typedef {import("./semcot.js").Mode} Mode */

/**
 * @typedef {object} Lane
 * @property {"idle" | "waiting" | "running" | "done"} status
 * @property {number} vectors implicit tokens that have arrived
 * @property {string} reasoning written so far
 * @property {string} written of the short answer so far
 * @property {import("./semcot.js").Answer | null} answer
 */

/**
 * A batch that runs, or ran.
 * @typedef {object} Batch
 * @property {import("./batch/report.js").Setup} setup
 * @property {import("./batch/questions.js").Question[]} questions
 * @property {import("./batch/batch.js").Row[]} rows
 * @property {number} total runs
 * @property {number} startedAt by the page's clock, in milliseconds
 * @property {number | null} pausedAt
 * @property {number} pausedMs spent in pauses that are over
 * @property {string} copied what became of its link
 */

/**
 * A repository that a visitor has named.
 * @typedef {object} Repository
 * @property {string} id
 * @property {string} host that would be asked
 * @property {boolean} asking
 * @property {import("./own/address.js").Offer[] | null} offers its models, once they are known
 */

/**
 * The implicit tokens of a question, looked at.
 * @typedef {object} Look
 * @property {string} question
 * @property {number} k vectors looked at
 * @property {import("./semcot.js").Inspection | null} inspection null while it is computed
 * @property {Map<number, string>} tried answers by k
 */

/**
 * Many questions' implicit tokens.
 * @typedef {object} PointMap
 * @property {import("./semcot.js").Problem[]} problems
 * @property {import("./semcot.js").Inspection[]} inspections as many as are done
 * @property {number} chosen the point that is read, -1 for none
 */

/**
 * @typedef {object} State
 * @property {import("./semcot.js").SemCoT | null} engine
 * @property {import("./semcot.js").Progress | null} progress of loading; null once loaded
 * @property {import("./errors.js").SemCoTError | null} trouble
 * @property {{ text: string, truth: string, family: string } | null} known the last problem whose answer is known
 * @property {string | null} asked the question that the lanes are about
 * @property {"ask" | "repeat" | "batch" | "look" | "map" | null} busy
 * @property {boolean} stopped whether the last run was stopped by the visitor
 * @property {Record<Mode, Lane>} lanes
 * @property {{ done: number, total: number } | null} repeatProgress
 * @property {import("./semcot.js").Comparison | null} comparison
 * @property {import("./floor.js").Floor | null | undefined} floor of a token's time; undefined until it was measured, null
 *   where it cannot be
 * @property {Batch | null} batch
 * @property {string} batchProblem why the batch form was refused
 * @property {{ text: string, result: import("./semcot.js").Generated | null } | null} written how a single model went on
 * @property {Repository | null} repository
 * @property {{ models: import("./kept.js").KeptModel[], estimate: import("./kept.js").KeptEstimate } | null} kept
 *   models, as far as somebody has looked
 * @property {boolean} persistRefused whether the browser would not promise to keep them
 * @property {Look | null} look
 * @property {PointMap | null} map
 */

/** @returns {Lane} */
export function emptyLane() {
  return { status: "idle", vectors: 0, reasoning: "", written: "", answer: null };
}

/** @returns {Record<Mode, Lane>} */
export function emptyLanes() {
  return /** @type {Record<Mode, Lane>} */ (Object.fromEntries(MODES.map((mode) => [mode, emptyLane()])));
}

/** @returns {State} */
export function initialState() {
  return {
    engine: null,
    progress: null,
    trouble: null,
    known: null,
    asked: null,
    busy: null,
    stopped: false,
    lanes: emptyLanes(),
    repeatProgress: null,
    comparison: null,
    floor: undefined,
    batch: null,
    batchProblem: "",
    written: null,
    repository: null,
    kept: null,
    persistRefused: false,
    look: null,
    map: null,
  };
}

/**
 * The true answer of a question, where it is known.
 * @param {State} state
 * @param {string | null} question
 * @returns {string | null}
 */
export function truthOf({ known }, question) {
  return known !== null && known.text === question?.trim() ? known.truth : null;
}

/**
 * Whether an answer is right; null where the truth is not known.
 * @param {State} state
 * @param {string} answer
 * @returns {boolean | null}
 */
export function isRight(state, answer) {
  const truth = truthOf(state, state.asked);
  return truth === null ? null : answer === truth;
}
