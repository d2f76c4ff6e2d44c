// @ts-check
// The measured comparison: medians and how far single runs lie apart.

import { find, setText } from "../dom.js";
import { MODES } from "../semcot.js";
import { strings } from "../strings/en.js";

const button = find("#repeat-button", HTMLButtonElement);
const progress = find("#repeat-progress", HTMLElement);
const result = find("#repeat-result", HTMLElement);
const caption = find("#repeat-caption", HTMLElement);
const rows = Object.fromEntries(MODES.map((mode) => {
  const row = find(`tr[data-mode=${mode}]`, HTMLTableRowElement, result);
  const cell = (/** @type {string} */ name) => find(`[data-cell=${name}]`, HTMLElement, row);
  return [mode, { median: cell("median"), range: cell("range"), answer: cell("answer") }];
}));

/** @param {import("../state.js").State} state */
export function showRepeat({ engine, busy, repeatProgress, comparison }) {
  button.disabled = engine === null || busy !== null;
  setText(progress, repeatProgress ? strings.repeat.progress(repeatProgress.done, repeatProgress.total) : "");
  result.hidden = comparison === null;
  if (comparison === null) return;
  setText(caption, captionText(comparison));
  for (const mode of MODES) {
    const measured = comparison.modes[mode];
    if (!measured) continue;
    setText(rows[mode].median, strings.time(measured.ms.median));
    setText(rows[mode].range, strings.repeat.range(strings.time(measured.ms.min), strings.time(measured.ms.max)));
    setText(rows[mode].answer, measured.answer.answer || strings.lane.noAnswer);
  }
}

/** @param {import("../semcot.js").Comparison} comparison */
function captionText({ speedUp, modes: { implicit, explicit } }) {
  if (speedUp === null || !implicit || !explicit) return "";
  const rounds = explicit.ms.runs.map((ms, round) => ms / implicit.ms.runs[round]);
  const factors = [speedUp, Math.min(...rounds), Math.max(...rounds)].map(strings.factor);
  return strings.repeat.caption(rounds.length, factors[0], factors[1], factors[2]);
}
