// @ts-check
// Inside the implicit tokens of a question: their lengths and nearest words, how alike they are, which
// reasoning they read most like, and what each number of them answers.

import { copyOf, find, setText } from "../dom.js";
import { truthOf } from "../state.js";
import { strings } from "../strings/chosen.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../state.js").Look} Look */
/** @typedef {import("../semcot.js").Inspection} Inspection */

/** Places of the ranking that are shown; the question's own always is. */
const SHOWN_PLACES = 6;

const slider = find("#look-k", HTMLInputElement);
const sliderValue = find("#look-k-value", HTMLOutputElement);
const sliderNote = find("#look-k-note", HTMLElement);
const tried = find("#look-tried", HTMLOListElement);
const status = find("#look-status", HTMLElement);
const result = find("#look-result", HTMLElement);
const question = find("#look-question", HTMLElement);
const vectors = find("#look-vectors", HTMLOListElement);
const wordsNote = find("#look-words-note", HTMLElement);
const heatHead = find("#look-cosines-head", HTMLTableRowElement);
const heat = find("#look-cosines", HTMLTableSectionElement);
const summary = find("#look-ranking-summary", HTMLElement);
const ranking = find("#look-ranking", HTMLOListElement);
const rankingNote = find("#look-ranking-note", HTMLElement);
const measured = find("#look-measured", HTMLElement);

/** What is drawn already: the inspection and its language. @type {unknown[]} */
let drawn = [];

/** @param {State} state */
export function showLook(state) {
  const { look, busy, engine } = state;
  showSlider(state);
  setText(status, statusText(state));
  slider.disabled = engine === null;
  result.setAttribute("aria-busy", String(busy === "look"));
  const inspection = look?.inspection ?? null;
  result.dataset.empty = String(inspection === null);
  if (look === null || inspection === null || (drawn[0] === inspection && drawn[1] === strings)) return;
  drawn = [inspection, strings];
  setText(question, look.question);
  showVectors(inspection);
  showHeat(inspection);
  showRanking(inspection);
  showMeasured(engine?.info.alignment ?? []);
}

/** @param {State} state */
function statusText({ look, busy, engine }) {
  if (busy === "look") return strings.look.running;
  if (engine === null || look === null || look.inspection === null) return strings.look.idle;
  return "";
}

/** @param {State} state */
function showSlider(state) {
  const k = slider.valueAsNumber;
  const trained = state.engine?.info.implicitTokens ?? k;
  setText(sliderValue, strings.number(k));
  setText(sliderNote, k === trained ? strings.look.asTrained : strings.look.notAsTrained(strings.number(trained)));
  const answers = state.look?.tried ?? new Map();
  const truth = truthOf(state, state.look?.question ?? null);
  const most = Number(slider.max);
  while (tried.children.length < most) tried.append(copyOf("#tried-template", HTMLLIElement));
  while (tried.children.length > most) tried.lastElementChild?.remove();
  [...tried.children].forEach((cell, index) => {
    if (!(cell instanceof HTMLElement)) return;
    const answer = answers.get(index + 1);
    cell.dataset.right = answer === undefined || truth === null ? "" : String(answer === truth);
    cell.dataset.current = String(index + 1 === state.look?.k);
    setText(cell, answer === undefined ? strings.look.untried(String(index + 1)) : strings.look.tried(String(index + 1), answer || strings.lane.noAnswer, truth === null ? null : answer === truth));
  });
}

/** @param {Inspection} inspection */
function showVectors({ vectors: list, vocabulary }) {
  const longest = Math.max(...list.map((it) => it.norm));
  vectors.replaceChildren(...list.map(({ norm, nearest }, index) => {
    const card = copyOf("#vector-template", HTMLLIElement);
    setText(find("h4", HTMLElement, card), strings.look.vector(index + 1));
    setText(find("[data-part=norm]", HTMLElement, card), strings.look.norm(strings.decimal(norm)));
    setBar(card, norm / longest);
    find(".words", HTMLOListElement, card).replaceChildren(...nearest.map(({ text, cosine }) => {
      const word = copyOf("#word-template", HTMLLIElement);
      setText(find("b", HTMLElement, word), visible(text));
      setText(find("span", HTMLElement, word), strings.decimal(cosine));
      return word;
    }));
    return card;
  }));
  setText(wordsNote, vocabulary === null ? "" : strings.look.wordsNote(strings.decimal(vocabulary.chanceCosine), strings.decimal(vocabulary.medianNorm)));
}

/** @param {Inspection} inspection */
function showHeat({ cosines }) {
  const names = cosines.map((_, index) => strings.look.short(index + 1));
  heatHead.replaceChildren(...["", ...names].map((name) => {
    const cell = copyOf("#heat-head-template", HTMLTableCellElement);
    setText(cell, name);
    return cell;
  }));
  heat.replaceChildren(...cosines.map((values, index) => {
    const row = copyOf("#heat-row-template", HTMLTableRowElement);
    setText(find("th", HTMLElement, row), names[index]);
    row.append(...values.map((value) => {
      const cell = copyOf("#heat-cell-template", HTMLTableCellElement);
      setText(cell, strings.decimal(value));
      cell.dataset.sign = value < 0 ? "negative" : "positive";
      cell.style.setProperty("--strength", `${Math.round(Math.min(1, Math.abs(value)) * 100)}%`);
      return cell;
    }));
    return row;
  }));
}

/** @param {Inspection} inspection */
function showRanking({ alignment }) {
  if (alignment === null) {
    setText(summary, strings.look.noAlignment);
    setText(rankingNote, "");
    ranking.replaceChildren();
    return;
  }
  const { rank, ranking: all } = alignment;
  setText(summary, strings.look.rank(rank, strings.number(all.length)));
  setText(rankingNote, strings.look.rankingNote(strings.number(all.length - 1)));
  const shown = all.map((it, index) => ({ ...it, place: index + 1 })).filter((it) => it.own || it.place <= SHOWN_PLACES);
  ranking.replaceChildren(...shown.map(({ text, cosine, own, place }) => {
    const line = copyOf("#ranking-template", HTMLLIElement);
    line.dataset.own = String(own);
    setText(find(".place", HTMLElement, line), strings.look.place(strings.number(place)));
    setText(find(".cosine", HTMLElement, line), strings.decimal(cosine));
    setText(find("[lang=en]", HTMLElement, line), text);
    const mark = find(".own", HTMLElement, line);
    mark.hidden = !own;
    setText(mark, strings.look.own);
    setBar(line, Math.max(0, cosine));
    return line;
  }));
}

/**
 * What many questions gave, as the model folder tells it.
 * @param {{ family: string, n: number, bank: number, ownFirst: number }[]} alignment
 */
function showMeasured(alignment) {
  const families = alignment.map(({ family, n, bank, ownFirst }) =>
    strings.look.measuredFamily(strings.families[family] ?? family, strings.percent(ownFirst), strings.number(n), strings.number(bank), strings.percent(1 / (bank + 1))));
  setText(measured, strings.look.measured(families));
  measured.hidden = families.length === 0;
}

/**
 * @param {HTMLElement} element with a bar in it
 * @param {number} share
 */
function setBar(element, share) {
  find(".bar i", HTMLElement, element).style.inlineSize = `${100 * share}%`;
}

/**
 * A token as it can be seen: blanks at its ends have a sign.
 * @param {string} text
 */
function visible(text) {
  return text === "" ? "∅" : text.replace(/^ | $/g, "␣").replaceAll("\n", "⏎");
}
