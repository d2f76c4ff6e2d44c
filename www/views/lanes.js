// @ts-check
// The three lanes: how each came to its answer, the answer, and what it cost.

import { copyOf, find, setText } from "../dom.js";
import { MODES } from "../semcot.js";
import { isRight, truthOf } from "../state.js";
import { strings } from "../strings/chosen.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../semcot.js").Mode} Mode */

/** Names of the counts in an answer that a lane shows. @type {("tokens" | "targetPasses" | "generatorPasses")[]} */
const COUNTS = ["tokens", "targetPasses", "generatorPasses"];

/** Characters from which an answer is no number or word any more, and is shown small. */
const LONG_ANSWER = 24;

const elements = Object.fromEntries(MODES.map((mode) => {
  const lane = find(`#lane-${mode}`, HTMLElement);
  return [mode, {
    lane,
    stream: find(".stream", HTMLElement, lane),
    placeholder: find(".placeholder", HTMLElement, lane),
    answer: find(".answer-value", HTMLElement, lane),
    verdict: find(".verdict", HTMLElement, lane),
    time: find(".time-value", HTMLElement, lane),
    counts: COUNTS.map((name) => find(`[data-count=${name}]`, HTMLElement, lane)),
  }];
}));
const cells = find("#lane-implicit .cells", HTMLOListElement);
const announcer = find("#announcer", HTMLElement);

/** @param {State} state */
export function showLanes(state) {
  for (const mode of MODES) showLane(state, mode);
  showCells(state.lanes.implicit, state.engine?.info.implicitTokens ?? 0);
  announce(state);
}

/**
 * @param {State} state
 * @param {Mode} mode
 */
function showLane(state, mode) {
  const { status, reasoning, written, vectors, answer } = state.lanes[mode];
  const { lane, stream, placeholder, ...shown } = elements[mode];
  lane.dataset.status = status;
  lane.setAttribute("aria-busy", String(status === "running"));

  stream.hidden = reasoning === "";
  if (stream.textContent !== reasoning) {
    stream.textContent = reasoning;
    stream.scrollTop = stream.scrollHeight;
  }
  placeholder.hidden = reasoning !== "" || vectors > 0;
  setText(placeholder, placeholderText(status, mode));

  setText(shown.answer, answer ? answer.answer || strings.lane.noAnswer : written || "–");
  shown.answer.classList.toggle("long", (shown.answer.textContent ?? "").length > LONG_ANSWER);
  const verdict = answer ? verdictText(state, answer.answer) : "";
  setText(shown.verdict, verdict);
  lane.dataset.right = answer ? String(isRight(state, answer.answer)) : "";
  setText(shown.time, answer ? strings.time(answer.ms.total) : "–");
  COUNTS.forEach((name, index) => setText(shown.counts[index], answer ? strings.number(answer[name]) : "–"));
}

/**
 * @param {import("../state.js").Lane["status"]} status
 * @param {Mode} mode
 */
function placeholderText(status, mode) {
  if (status === "waiting") return strings.lane.waiting;
  return status === "running" ? strings.lane.running[mode] : strings.lane.idle[mode];
}

/**
 * @param {State} state
 * @param {string} answer
 */
function verdictText(state, answer) {
  const right = isRight(state, answer);
  if (right === null) return "";
  return right ? strings.lane.right : strings.lane.wrong(truthOf(state, state.asked) ?? "");
}

/**
 * @param {import("../state.js").Lane} lane
 * @param {number} usual how many the model was trained with: their empty places are shown before
 */
function showCells(lane, usual) {
  const count = lane.vectors || usual;
  while (cells.children.length > count) cells.lastElementChild?.remove();
  while (cells.children.length < count) cells.append(copyOf("#cell-template", HTMLLIElement));
  [...cells.children].forEach((cell, index) => {
    cell.classList.toggle("arrived", index < lane.vectors);
    cell.setAttribute("aria-label", strings.lane.cell(index + 1, count));
  });
}

/**
 * Tells screen readers each answer once, rather than every token.
 * @param {State} state
 */
function announce(state) {
  const done = MODES.flatMap((mode) => {
    const { answer } = state.lanes[mode];
    if (!answer) return [];
    const value = answer.answer || strings.lane.noAnswer;
    return [strings.lane.announce(strings.lanes[mode], value, verdictText(state, answer.answer), strings.time(answer.ms.total))];
  });
  setText(announcer, done.join(". "));
}
