// @ts-check
// What a visitor does in "look inside": opening it, the number of vectors, the plot of many questions.
// Nothing is computed before it is opened.

import { find } from "../dom.js";
import { showLook } from "../views/look.js";
import { showMap } from "../views/map.js";
import { familiesOf } from "../views/question.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../semcot.js").SemCoT} SemCoT */

/**
 * @typedef {object} Page
 * @property {State} state
 * @property {(change?: Partial<State>) => void} update
 * @property {(busy: "look" | "map", work: (engine: SemCoT, signal: AbortSignal) => Promise<void>) => Promise<void>} withEngine
 * @property {() => void} stop
 * @property {() => string} question that is looked at: the one that was asked, or stands in the box
 */

/** Reasonings that a question's own is compared with, and the seed of their problems: the same every time. */
const BANK = 99;
const BANK_SEED = 1;
/** Seed of the questions that are drawn. */
const MAP_SEED = 7;
const NEAREST = 5;
/** The slider goes so far, and farther where the pair was trained with more. */
const MOST_TOKENS = 8;

const panel = find("#look", HTMLDetailsElement);
const slider = find("#look-k", HTMLInputElement);
const mapFamily = find("#map-family", HTMLSelectElement);
const mapCount = find("#map-count", HTMLInputElement);
const mapWhat = find("#map-what", HTMLSelectElement);
const mapColour = find("#map-colour", HTMLSelectElement);
const plot = find("#map-plot", HTMLElement);

/**
 * @param {Page} page
 * @returns {{ views: ((state: State) => void)[], refresh: () => Promise<void> }} `refresh` looks again when
 *   another question was asked
 */
export function listenToLook({ state, update, withEngine, stop, question }) {
  /** Reasonings by the family that they were drawn for. @type {Map<string, string[]>} */
  const banks = new Map();
  let isTouched = false;

  /** @param {SemCoT} engine */
  async function bankOf(engine) {
    const families = familiesOf(engine.info);
    const known = state.known?.text === question() ? state.known.family : "";
    const chosen = families.includes(known) ? [known] : families;
    const name = chosen.join();
    if (!banks.has(name)) {
      const drawn = chosen.map((family) => engine.problems({ family, seed: BANK_SEED, count: Math.ceil(BANK / chosen.length) }));
      const texts = (await Promise.all(drawn)).flat().map((problem) => problem.reasoning);
      banks.set(name, [...new Set(texts)]);
    }
    return banks.get(name) ?? [];
  }

  async function look() {
    const { engine } = state;
    const asked = question();
    // A single model has no vectors to look at.
    if (!panel.open || engine === null || engine.info.implicitTokens === undefined || state.busy !== null || asked === "") return;
    slider.max = String(Math.max(MOST_TOKENS, engine.info.implicitTokens));
    if (!isTouched) slider.value = String(engine.info.implicitTokens);
    const k = slider.valueAsNumber;
    const before = state.look?.question === asked ? state.look : null;
    if (before?.inspection && before.k === k) return;
    const tried = before?.tried ?? new Map();
    update({ look: { question: asked, k, inspection: before?.inspection ?? null, tried } });
    await withEngine("look", async (engine, signal) => {
      const answer = await engine.ask(asked, { mode: "implicit", implicitTokens: k, signal });
      tried.set(k, answer.answer);
      const { explicit } = state.lanes;
      const reasoning = state.asked === asked && explicit.answer?.reasoning ? explicit.answer.reasoning : undefined;
      const bank = await bankOf(engine);
      const inspection = await compared(engine, asked, { implicitTokens: k, nearest: NEAREST, bank, reasoning, signal });
      update({ look: { question: asked, k, inspection, tried } });
    });
    // The slider may have moved on meanwhile.
    if (!state.stopped && state.trouble === null && slider.valueAsNumber !== k) await look();
  }

  async function draw() {
    if (!mapCount.reportValidity()) return;
    await withEngine("map", async (engine, signal) => {
      const families = mapFamily.value === "" ? familiesOf(engine.info) : [mapFamily.value];
      const count = mapCount.valueAsNumber;
      const drawn = families.map((family, index) => engine.problems({ family, seed: MAP_SEED, count: Math.floor((count + index) / families.length) }));
      const problems = (await Promise.all(drawn)).flat();
      /** @type {import("../state.js").PointMap} */
      const map = { problems, inspections: [], chosen: -1 };
      update({ map });
      for (const problem of problems) {
        map.inspections.push(await engine.inspect(problem.query, { nearest: 0, signal }));
        update();
      }
    });
  }

  /** @param {number} step */
  function choose(step) {
    const { map } = state;
    if (map === null || map.inspections.length === 0) return;
    const count = map.inspections.length;
    map.chosen = map.chosen < 0 ? (step > 0 ? 0 : count - 1) : (map.chosen + step + count) % count;
    update();
  }

  panel.addEventListener("toggle", look);
  slider.addEventListener("input", () => {
    isTouched = true;
    update();
  });
  slider.addEventListener("change", look);
  find("#map-start", HTMLButtonElement).addEventListener("click", draw);
  find("#map-cancel", HTMLButtonElement).addEventListener("click", stop);
  for (const select of [mapWhat, mapColour]) select.addEventListener("change", () => update());
  plot.addEventListener("keydown", (event) => {
    const steps = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 });
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    choose(step);
  });
  const point = (/** @type {PointerEvent} */ event) => {
    const dot = event.target instanceof Element ? event.target.closest("[data-point]") : null;
    if (state.map === null || dot === null) return;
    state.map.chosen = Number(dot.getAttribute("data-point"));
    update();
  };
  plot.addEventListener("pointerover", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", () => {
    if (state.map === null || state.map.chosen < 0) return;
    state.map.chosen = -1;
    update();
  });
  return { views: [showLook, showMap], refresh: look };
}

/**
 * Looks with the comparison, or without where the model folder has nothing to compare by.
 * @param {SemCoT} engine
 * @param {string} question
 * @param {import("../semcot.js").InspectOptions & { signal: AbortSignal }} options
 */
async function compared(engine, question, options) {
  try {
    return await engine.inspect(question, options);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "unsupported-model")) throw error;
    return engine.inspect(question, { ...options, bank: undefined });
  }
}
