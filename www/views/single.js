// @ts-check
// A single model in the page: the question is a text to go on with, and what only pairs have is away.

import { find, setText } from "../dom.js";
import { isSingle } from "../own/write-on.js";
import { strings } from "../strings/chosen.js";

const main = find("#main", HTMLElement);
const panel = find("#single", HTMLElement);
const label = find("#ask label", HTMLElement);
const button = find("#ask-button", HTMLButtonElement);
const prompt = find("#single-prompt", HTMLElement);
const text = find("#single-text", HTMLElement);
const note = find("#single-note", HTMLElement);

/** @param {import("../state.js").State} state */
export function showSingle(state) {
  const single = isSingle(state);
  main.dataset.kind = single ? "single" : "pair";
  panel.hidden = !single;
  setText(label, single ? strings.single.label : strings.page.questionLabel);
  setText(button, single ? strings.single.writeOn : strings.page.ask);
  if (!single) return;
  const { written, busy } = state;
  panel.setAttribute("aria-busy", String(busy === "ask"));
  setText(prompt, written ? state.asked ?? "" : "");
  setText(text, written?.text ?? "");
  setText(note, written?.result ? noteOf(written.result) : busy === "ask" ? strings.lane.running.explicit : state.stopped ? strings.headline.stopped : strings.single.idle);
}

/** @param {import("../semcot.js").Generated} result */
function noteOf({ ids, ms }) {
  const perSecond = (ids.length * 1000) / ms.total;
  return strings.single.done(strings.number(ids.length), strings.time(ms.total), strings.times(perSecond));
}
