// @ts-check
// Where the time went: a bar a lane, to one scale, of what the device says of its phases; and of
// repeated runs the medians, and how far single runs lie apart.

import { find, setText } from "../dom.js";
import { MODES } from "../semcot.js";
import { isRight } from "../state.js";
import { strings } from "../strings/chosen.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../semcot.js").Mode} Mode */
/** @typedef {import("../semcot.js").Milliseconds} Milliseconds */

/** In the order of a run. `rest` is what the host waits besides: encoding, submitting, reading back. */
const PHASES = /** @type {const} */ (["generator", "prefill", "decode", "rest"]);

const button = find("#repeat-button", HTMLButtonElement);
const count = find("#repeat-count", HTMLSelectElement);
const progress = find("#repeat-progress", HTMLElement);
const note = find("#timing-note", HTMLElement);
const table = find("#timing", HTMLTableElement);
const rows = Object.fromEntries(MODES.map((mode) => {
  const row = find(`tr[data-mode=${mode}]`, HTMLTableRowElement, table);
  const cell = (/** @type {string} */ name) => find(`[data-cell=${name}]`, HTMLElement, row);
  return [mode, {
    row,
    segments: PHASES.map((phase) => find(`[data-phase=${phase}]`, HTMLElement, row)),
    whisker: find(".whisker", HTMLElement, row),
    phases: cell("phases"), answer: cell("answer"), median: cell("median"), range: cell("range"),
  }];
}));

/** @param {State} state */
export function showTiming(state) {
  const { engine, busy, repeatProgress, comparison } = state;
  button.disabled = engine === null || busy !== null;
  count.disabled = busy !== null;
  setText(progress, repeatProgress ? strings.timing.progress(repeatProgress.done, repeatProgress.total) : "");
  table.dataset.measured = String(comparison !== null);
  const answers = MODES.map((mode) => comparison?.modes[mode]?.answer ?? state.lanes[mode].answer);
  const slowest = MODES.map((mode) => comparison?.modes[mode]?.ms.max ?? 0);
  const scale = Math.max(...answers.map((answer) => answer?.ms.total ?? 0), ...slowest);
  MODES.forEach((mode, index) => showRow(state, mode, answers[index], scale));
  setText(note, repeatProgress ? "" : noteText(state, answers.every((answer) => answer !== null)));
}

/**
 * @param {State} state
 * @param {Mode} mode
 * @param {import("../semcot.js").Answer | null} answer
 * @param {number} scale milliseconds of the whole width
 */
function showRow(state, mode, answer, scale) {
  const shown = rows[mode];
  const spread = state.comparison?.modes[mode]?.ms ?? null;
  const share = (/** @type {number} */ ms) => `${(100 * ms) / scale}%`;
  const phases = answer && phasesOf(answer.ms);
  shown.segments.forEach((segment, index) => {
    // Without phases the whole bar is what the host waited.
    const ms = phases ? phases[index] : answer && index === PHASES.length - 1 ? answer.ms.total : 0;
    segment.style.inlineSize = ms > 0 ? share(ms) : "0";
  });
  shown.whisker.hidden = spread === null;
  if (spread !== null) {
    shown.whisker.style.insetInlineStart = share(spread.min);
    shown.whisker.style.inlineSize = share(spread.max - spread.min);
  }
  setText(shown.phases, !answer ? "" : phases ? strings.timing.phases(phases.map(strings.time)) : strings.timing.noPhases);
  const right = answer && isRight(state, answer.answer);
  shown.row.dataset.right = String(right);
  const verdict = right === null ? "" : right ? ` ${strings.timing.right}` : ` ${strings.timing.wrong}`;
  setText(shown.answer, answer ? `${answer.answer || strings.lane.noAnswer}${verdict}` : "");
  setText(shown.median, answer ? strings.time(spread?.median ?? answer.ms.total) : "–");
  setText(shown.range, spread ? strings.timing.range(strings.time(spread.min), strings.time(spread.max)) : "");
}

/**
 * Milliseconds by phase; null where the device does not time them.
 * @param {Milliseconds} ms
 * @returns {number[] | null}
 */
export function phasesOf({ generator, prefill, decode, total }) {
  if (generator === null || prefill === null || decode === null) return null;
  return [generator, prefill, decode, Math.max(0, total - generator - prefill - decode)];
}

/**
 * @param {State} state
 * @param {boolean} answered
 */
function noteText({ engine, comparison }, answered) {
  const tokensPerSubmit = engine?.info.tokensPerSubmit ?? 0;
  const { implicit, explicit } = comparison?.modes ?? {};
  if (!comparison || !implicit || !explicit) return answered && engine ? strings.timing.once(tokensPerSubmit) : strings.timing.idle;
  const rounds = explicit.ms.runs.map((ms, round) => ms / implicit.ms.runs[round]);
  const [median, low, high] = [comparison.speedUp ?? 1, Math.min(...rounds), Math.max(...rounds)].map(strings.factor);
  return strings.timing.measured(rounds.length, median, low, high, tokensPerSubmit);
}
