// @ts-check
// The question box: what can be pressed now, and whether the answer is known.

import { copyOf, find, setText } from "../dom.js";
import { truthOf } from "../state.js";
import { strings } from "../strings/chosen.js";

const form = find("#ask", HTMLFormElement);
const question = find("#question", HTMLTextAreaElement);
const truth = find("#truth", HTMLElement);
const ask = find("#ask-button", HTMLButtonElement);
const stop = find("#stop-button", HTMLButtonElement);
const newProblem = find("#new-problem", HTMLButtonElement);
const familyField = find("#family-field", HTMLElement);
const family = find("#family", HTMLSelectElement);
const examples = [...document.querySelectorAll("#examples button")];

/** @param {import("../state.js").State} state */
export function showQuestion(state) {
  const { engine, busy } = state;
  const known = truthOf(state, question.value);
  setText(truth, known === null ? strings.ask.noTruth : strings.ask.truth(known));
  form.setAttribute("aria-busy", String(busy !== null));
  ask.disabled = engine === null || busy !== null;
  ask.hidden = busy !== null;
  stop.hidden = busy === null;
  newProblem.disabled = engine === null || busy !== null;
  for (const example of examples) if (example instanceof HTMLButtonElement) example.disabled = busy !== null;
  family.disabled = newProblem.disabled;
  showFamilies(engine ? familiesOf(engine.info) : []);
}

/**
 * The kinds of problem that a model was measured on; what it was not made for is not offered.
 * @param {import("../semcot.js").Info} info
 * @returns {string[]}
 */
export function familiesOf(info) {
  const measured = /** @type {{ family: string }[]} */ (info.accuracy ?? []).map((entry) => entry.family);
  const families = ["arithmetic", "everyday", "coin"].filter((known) => measured.includes(known));
  return families.length > 0 ? families : ["arithmetic"];
}

/** @param {string[]} families */
function showFamilies(families) {
  familyField.hidden = families.length < 2;
  for (const example of examples) {
    if (example instanceof HTMLElement) {
      example.hidden = families.length > 0 && !families.includes(example.dataset.family ?? "");
    }
  }
  const named = [...family.options].map((option) => option.textContent).join();
  if (named === families.map((name) => strings.families[name] ?? name).join()) return;
  const { value } = family;
  family.replaceChildren(...families.map((name) => {
    const option = copyOf("#option-template", HTMLOptionElement);
    option.value = name;
    option.textContent = strings.families[name] ?? name;
    return option;
  }));
  if (families.includes(value)) family.value = value;
}
