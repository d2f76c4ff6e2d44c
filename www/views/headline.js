// @ts-check
// The one sentence that a visitor takes away: how much sooner implicit answered, and whether it was right.

import { find, setText } from "../dom.js";
import { isRight } from "../state.js";
import { strings } from "../strings/chosen.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../semcot.js").Answer} Answer */

const text = find("#headline-text", HTMLElement);
const note = find("#headline-note", HTMLElement);

/** @param {State} state */
export function showHeadline(state) {
  text.hidden = state.engine === null;
  const { headline, remark } = words(state);
  setText(text, headline);
  text.classList.toggle("result", remark !== "");
  setText(note, remark);
  note.hidden = text.hidden || remark === "";
}

/**
 * @param {State} state
 * @returns {{ headline: string, remark: string }}
 */
function words(state) {
  const { comparison } = state;
  const implicit = comparison?.modes.implicit?.answer ?? state.lanes.implicit.answer;
  const explicit = comparison?.modes.explicit?.answer ?? state.lanes.explicit.answer;
  if (state.busy === "ask") return { headline: strings.headline.running, remark: "" };
  if (!implicit || !explicit) {
    return { headline: state.stopped ? strings.headline.stopped : strings.headline.idle, remark: "" };
  }
  const measured = comparison?.modes;
  const implicitMs = measured?.implicit?.ms.median ?? implicit.ms.total;
  const explicitMs = measured?.explicit?.ms.median ?? explicit.ms.total;
  const factor = comparison?.speedUp ?? explicitMs / implicitMs;
  const rest = correctness(state, implicit, explicit);
  const headline = factor >= 1
    ? strings.headline.sooner(strings.factor(factor), rest)
    : strings.headline.later(strings.factor(1 / factor), rest);
  const times = /** @type {const} */ ([strings.time(implicitMs), strings.time(explicitMs)]);
  const remark = comparison ? strings.headline.median(...times, comparison.modes.implicit?.ms.runs.length ?? 0) : strings.headline.once(...times);
  return { headline, remark };
}

/**
 * How the sentence ends.
 * @param {State} state
 * @param {Answer} implicit
 * @param {Answer} explicit
 */
function correctness(state, implicit, explicit) {
  const right = [isRight(state, implicit.answer), isRight(state, explicit.answer)];
  if (right[0] === null) {
    const same = implicit.answer === explicit.answer;
    return same ? strings.headline.agree(implicit.answer) : strings.headline.differ(implicit.answer, explicit.answer);
  }
  if (right[0] && right[1]) return strings.headline.bothRight;
  if (!right[0] && !right[1]) return strings.headline.bothWrong;
  return right[0] ? strings.headline.onlyImplicit : strings.headline.onlyExplicit;
}
