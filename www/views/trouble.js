// @ts-check
// What went wrong, why, and what to do, in place of a broken page.

import { find, setText } from "../dom.js";
import { strings } from "../strings/chosen.js";

const panel = find("#trouble", HTMLElement);
const title = find("#trouble-title", HTMLElement);
const advice = find("#trouble-advice", HTMLElement);
const reason = find("#trouble-reason", HTMLElement);
const reload = find("#trouble-reload", HTMLButtonElement);

/** @param {import("../state.js").State} state */
export function showTrouble({ trouble, engine }) {
  if (trouble !== null) {
    // Without an engine nothing can have been asked: it is the model that cannot be used.
    const words = trouble.code === "bad-input" && engine === null ? strings.trouble.badModel : strings.trouble.codes[trouble.code];
    panel.dataset.code = trouble.code;
    setText(title, words.title);
    setText(advice, words.advice);
    setText(reason, trouble.message);
    reload.hidden = engine !== null;
  }
  panel.hidden = trouble === null;
}
