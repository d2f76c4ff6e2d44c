// @ts-check
// What <semcot-demo> shows, as a function of its state.

import { setText } from "../dom.js";
import { LANGUAGES } from "../strings/chosen.js";

/** @typedef {import("../semcot.js").Answer} Answer */
/** @typedef {import("../semcot.js").Mode} Mode */
/** @typedef {import("../strings/chosen.js").Strings} Strings */

/**
 * @typedef {object} Lane
 * @property {number} vectors implicit tokens that have come
 * @property {string} reasoning written so far
 * @property {Answer | null} answer
 */

/**
 * @typedef {object} DemoState
 * @property {string} language as the element's or its page's `lang` says
 * @property {readonly Mode[]} modes
 * @property {"idle" | "loading" | "running" | "done" | "stopped"} phase
 * @property {import("../semcot.js").Progress | null} progress
 * @property {Partial<Record<Mode, Lane>>} lanes
 * @property {Mode | null} running
 * @property {string | null} truth of the question asked, where it is known
 * @property {import("../errors.js").SemCoTError | null} trouble
 */

/** Characters from which an answer is no number or word any more, and is shown small. */
const LONG_ANSWER = 24;

/**
 * @param {ShadowRoot} root
 * @param {DemoState} state
 */
export function show(root, state) {
  const strings = stringsOf(state.language);
  const one = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
  const busy = state.phase === "loading" || state.phase === "running";
  setText(one("label"), strings.page.questionLabel);
  setText(one("#run"), strings.page.ask);
  setText(one("#stop"), strings.page.stop);
  setText(one(".note"), strings.demo.note);
  one("#run").style.visibility = busy ? "hidden" : "visible";
  one("#stop").hidden = !busy;
  showLanes(root, one(".lanes"), state, strings);
  showProgress(/** @type {HTMLProgressElement} */ (one("progress")), state);
  const status = one(".status");
  status.toggleAttribute("data-trouble", state.trouble !== null);
  setText(status, statusText(state, strings));
}

/**
 * The texts of a language; English where there are none.
 * @param {string} language
 * @returns {Strings}
 */
export function stringsOf(language) {
  const known = language.slice(0, 2).toLowerCase();
  return Object.hasOwn(LANGUAGES, known) ? LANGUAGES[/** @type {import("../strings/chosen.js").Language} */ (known)] : LANGUAGES.en;
}

/**
 * @param {ShadowRoot} root
 * @param {HTMLElement} place
 * @param {DemoState} state
 * @param {Strings} strings
 */
function showLanes(root, place, state, strings) {
  const wanted = state.modes.join(" ");
  if (place.dataset.modes !== wanted) {
    place.dataset.modes = wanted;
    place.replaceChildren(...state.modes.map((mode) => {
      const lane = copyOf(root, "#lane");
      lane.dataset.mode = mode;
      return lane;
    }));
  }
  const slowest = Math.max(...state.modes.map((mode) => state.lanes[mode]?.answer?.ms.total ?? 0));
  for (const lane of /** @type {NodeListOf<HTMLElement>} */ (place.querySelectorAll(".lane"))) showLane(root, lane, slowest, state, strings);
}

/**
 * @param {ShadowRoot} root
 * @param {HTMLElement} lane
 * @param {number} slowest time of all lanes, in milliseconds
 * @param {DemoState} state
 * @param {Strings} strings
 */
function showLane(root, lane, slowest, state, strings) {
  const mode = /** @type {Mode} */ (lane.dataset.mode);
  const one = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (lane.querySelector(selector));
  const { vectors = 0, reasoning = "", answer = null } = state.lanes[mode] ?? {};
  const running = state.running === mode;
  lane.setAttribute("aria-label", strings.lanes[mode]);
  lane.setAttribute("aria-busy", String(running));
  setText(one(".name"), strings.lanes[mode]);

  const [cells, written, placeholder] = [one(".cells"), one(".reasoning"), one(".placeholder")];
  cells.hidden = vectors === 0;
  while (cells.children.length > vectors) cells.lastElementChild?.remove();
  while (cells.children.length < vectors) cells.append(copyOf(root, "#cell"));
  [...cells.children].forEach((cell, index) => cell.setAttribute("aria-label", strings.lane.cell(index + 1, vectors)));
  written.hidden = reasoning === "";
  written.setAttribute("aria-label", strings.lanes[mode]);
  if (written.textContent !== reasoning) {
    written.textContent = reasoning;
    written.scrollTop = written.scrollHeight;
  }
  placeholder.hidden = vectors > 0 || reasoning !== "";
  setText(placeholder, running ? strings.lane.running[mode] : state.phase === "running" && !answer ? strings.lane.waiting : strings.page[`${mode}About`]);

  const right = answer === null || state.truth === null ? null : answer.answer === state.truth;
  lane.dataset.right = String(right);
  setText(one(".answer"), answer ? answer.answer || strings.lane.noAnswer : "–");
  one(".answer").classList.toggle("long", (answer?.answer ?? "").length > LONG_ANSWER);
  setText(one(".verdict"), verdict(right, state, strings));
  setText(one(".time"), answer ? strings.time(answer.ms.total) : "");
  one(".bar").style.inlineSize = answer && slowest > 0 ? `${(100 * answer.ms.total) / slowest}%` : "0";
}

/**
 * @param {boolean | null} right
 * @param {DemoState} state
 * @param {Strings} strings
 */
function verdict(right, state, strings) {
  if (right === null) return "";
  return right ? strings.lane.right : strings.lane.wrong(state.truth ?? "");
}

/**
 * @param {HTMLProgressElement} bar
 * @param {DemoState} state
 */
function showProgress(bar, { phase, progress, language }) {
  bar.hidden = phase !== "loading";
  bar.setAttribute("aria-label", stringsOf(language).loading.start);
  const { totalBytes = 0, loadedBytes = 0 } = progress ?? {};
  if (totalBytes > 0 && (progress?.phase === "download" || progress?.phase === "upload")) bar.value = loadedBytes / totalBytes;
  else bar.removeAttribute("value");
}

/**
 * The one text that is announced: it changes with phases and results, not with tokens.
 * @param {DemoState} state
 * @param {Strings} strings
 */
function statusText(state, strings) {
  const { phase, progress, trouble } = state;
  if (trouble !== null) {
    const words = strings.trouble.codes[trouble.code];
    return `${words.title}. ${words.advice} (${trouble.message})`;
  }
  switch (phase) {
    case "loading":
      // Bytes would be announced one by one; the bar shows them.
      if (progress === null || progress.phase === "ready") return strings.loading.start;
      return progress.phase === "download" ? strings.demo.download(strings.bytes(progress.totalBytes)) : strings.loading[progress.phase];
    case "running":
      return strings.headline.running;
    case "stopped":
      return strings.headline.stopped;
    case "done":
      return resultText(state, strings);
    default:
      return "";
  }
}

/**
 * @param {DemoState} state
 * @param {Strings} strings
 */
function resultText({ lanes, modes }, strings) {
  const [implicit, explicit] = [lanes.implicit?.answer, lanes.explicit?.answer];
  if (!implicit || !explicit) {
    return modes.map((mode) => `${strings.lanes[mode]}: ${lanes[mode]?.answer?.answer || strings.lane.noAnswer}`).join(", ");
  }
  const rest = implicit.answer === explicit.answer
    ? strings.headline.agree(implicit.answer || strings.lane.noAnswer)
    : strings.headline.differ(implicit.answer || strings.lane.noAnswer, explicit.answer || strings.lane.noAnswer);
  const factor = explicit.ms.total / implicit.ms.total;
  return factor >= 1 ? strings.headline.sooner(strings.factor(factor), rest) : strings.headline.later(strings.factor(1 / factor), rest);
}

/**
 * @param {ShadowRoot} root
 * @param {string} template
 */
function copyOf(root, template) {
  const { content } = /** @type {HTMLTemplateElement} */ (root.querySelector(template));
  return /** @type {HTMLElement} */ (content.firstElementChild?.cloneNode(true));
}
