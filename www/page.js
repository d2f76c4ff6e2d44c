// @ts-check
// The page: what a visitor does changes the state, and the views show the state.

import { listenToBatch } from "./batch/controls.js";
import { find } from "./dom.js";
import { SemCoTError } from "./errors.js";
import { floorOf } from "./floor.js";
import { keepForOffline } from "./offline.js";
import { listenToOwn } from "./own/controls.js";
import { isSingle, writeOn } from "./own/write-on.js";
import { MODES, SemCoT } from "./semcot.js";
import { emptyLanes, initialState } from "./state.js";
import { chooseLanguage, firstLanguage, rememberLanguage, strings } from "./strings/chosen.js";
import { showBatch } from "./views/batch.js";
import { showFacts } from "./views/facts.js";
import { showHeadline } from "./views/headline.js";
import { showLanes } from "./views/lanes.js";
import { showLanguage } from "./views/language.js";
import { showLoading } from "./views/loading.js";
import { showOwn } from "./views/own.js";
import { familiesOf, showQuestion } from "./views/question.js";
import { showSingle } from "./views/single.js";
import { showTiming } from "./views/timing.js";
import { showTrouble } from "./views/trouble.js";
import { showWebGpu } from "./views/webgpu.js";

/** Failures after which the model must be loaded by hand; after the others the engine goes on, or starts anew by itself. */
const FATAL = ["out-of-memory"];

const main = find("#main", HTMLElement);
const form = find("#ask", HTMLFormElement);
const question = find("#question", HTMLTextAreaElement);
const repeats = find("#repeat-count", HTMLSelectElement);
const family = find("#family", HTMLSelectElement);

const state = initialState();
/** What looks inside the implicit tokens, once that was opened. @type {ReturnType<typeof import("./look/controls.js").listenToLook> | null} */
let looking = null;
/** Stops what runs now. */
let current = new AbortController();
/** Stops the loading under way. */
let loading = new AbortController();
const views = [showLanguage, showTrouble, showWebGpu, showLoading, showQuestion, showHeadline, showLanes, showTiming, showFacts, showBatch, showSingle, showOwn];

/** @param {Partial<import("./state.js").State>} [change] */
function update(change = {}) {
  Object.assign(state, change);
  for (const show of views) show(state);
}

/** Where the model lies that the page (or `?model=`) names. */
function modelAddress() {
  return new URLSearchParams(location.search).get("model") ?? main.dataset.model ?? "";
}

/** @param {import("./semcot.js").Progress} progress */
function onProgress(progress) {
  if (progress.phase !== state.progress?.phase) mark(progress.phase);
  update({ progress });
}

/** For the browser's timeline, and `npm run measure -- --startup`. */
function mark(/** @type {string} */ name) {
  performance.mark(`semcot ${name}`);
}

/** What is to compute, as `?device=` says: `auto`, `gpu` or `cpu`. */
function deviceWanted() {
  return /** @type {import("./semcot.js").LoadSettings["device"]} */ (new URLSearchParams(location.search).get("device") ?? "auto");
}

/**
 * Loads a model in place of what is loaded.
 * @param {string | File[]} [model] the one that the page (or `?model=`) names unless told
 */
async function load(model = modelAddress()) {
  mark("load");
  loading.abort();
  const { signal } = (loading = new AbortController());
  const old = state.engine;
  update({ look: null, map: null, engine: null, trouble: null, progress: null, busy: null });
  await old?.dispose();
  try {
    const engine = await SemCoT.load(model, { device: deviceWanted(), onProgress, signal });
    mark("ready");
    rememberModel(model);
    update({ engine, progress: null, lanes: emptyLanes(), asked: null, comparison: null, floor: undefined, written: null });
    await looking?.refresh();
  } catch (error) {
    // Of two loadings the later one is shown.
    if (loading.signal === signal) update({ trouble: SemCoTError.from(error), progress: null });
  }
}

/**
 * Puts the model's address into the page's, so that a reload and a link lead to it again.
 * @param {string | File[]} model
 */
function rememberModel(model) {
  if (typeof model !== "string" || model === modelAddress()) return;
  const address = new URL(location.href);
  if (model === main.dataset.model) address.searchParams.delete("model");
  else address.searchParams.set("model", model);
  history.replaceState(null, "", address);
}

/**
 * Does something that takes the engine, until it ends or is stopped, and shows what went wrong.
 * @param {"ask" | "repeat" | "batch" | "look" | "map"} busy
 * @param {(engine: SemCoT, signal: AbortSignal) => Promise<void>} work
 */
async function withEngine(busy, work) {
  const { engine } = state;
  if (engine === null || state.busy !== null) return;
  current = new AbortController();
  update({ busy, trouble: null, stopped: false });
  try {
    await work(engine, current.signal);
    update({ busy: null, repeatProgress: null });
    await looking?.refresh();
  } catch (caught) {
    const error = SemCoTError.from(caught);
    for (const mode of MODES) if (state.lanes[mode].status !== "done") state.lanes[mode].status = "idle";
    update({ busy: null, repeatProgress: null, stopped: error.code === "aborted" });
    if (error.code === "aborted") return;
    if (FATAL.includes(error.code)) {
      state.engine = null;
      engine.dispose();
    }
    update({ trouble: error });
    find("#trouble", HTMLElement).focus();
  }
}

/** Asks the question in the box, lane after lane. */
async function ask() {
  const asked = question.value.trim();
  if (asked === "") return update({ trouble: new SemCoTError("bad-input", strings.trouble.empty) });
  await withEngine("ask", async (engine, signal) => {
    if (isSingle(state)) return writeOn(engine, asked, signal, update);
    const lanes = emptyLanes();
    for (const mode of MODES) lanes[mode].status = "waiting";
    update({ asked, lanes, comparison: null });
    for (const mode of MODES) {
      const lane = lanes[mode];
      lane.status = "running";
      update();
      const run = engine.ask(asked, { mode, signal });
      for await (const piece of run) {
        if (piece.kind === "implicit_tokens") lane.vectors = piece.count;
        else lane[piece.answer ? "written" : "reasoning"] += piece.text;
        update();
      }
      lane.answer = await run;
      lane.status = "done";
      update();
      mark("answer");
    }
  });
}

/** Measures the question in the box by interleaved runs. */
async function repeat() {
  const asked = question.value.trim();
  if (asked !== state.asked || MODES.some((mode) => state.lanes[mode].answer === null)) await ask();
  if (state.trouble !== null || state.stopped || state.asked !== asked) return;
  await withEngine("repeat", async (engine, signal) => {
    const run = engine.compare(asked, { repeats: Number(repeats.value), signal });
    for await (const { done, total } of run) update({ repeatProgress: { done, total } });
    update({ comparison: await run, repeatProgress: null });
    await measureFloor(engine, signal);
  });
}

/**
 * Measures what the memory leaves of a token's time, once a model: visitors wait for it only where they measure.
 * @param {SemCoT} engine
 * @param {AbortSignal} signal
 */
async function measureFloor(engine, signal) {
  if (state.floor === undefined) update({ floor: await floorOf(engine, signal) });
}

/** Fetches what looks inside the implicit tokens, which nobody waits for before, and looks. */
async function openLook() {
  if (looking !== null) return;
  try {
    const { listenToLook } = await import("./look/controls.js");
    // Opened twice meanwhile.
    if (looking !== null) return;
    looking = listenToLook({ state, update, withEngine, stop: () => current.abort(), question: () => state.asked ?? question.value.trim() });
    views.push(...looking.views);
    update();
    await looking.refresh();
  } catch (error) {
    update({ trouble: new SemCoTError("network", SemCoTError.from(error).message) });
  }
}

/** Puts a problem that nobody trained on into the box, with its answer kept. What is typed before it comes stays. */
async function newProblem() {
  if (state.engine === null) return;
  const [seed] = crypto.getRandomValues(new Uint32Array(1));
  const chosen = family.value || familiesOf(state.engine.info)[0];
  const before = question.value;
  try {
    const [problem] = await state.engine.problems({ family: chosen, seed });
    if (question.value === before) setQuestion(problem.query, problem.answer, chosen);
  } catch (error) {
    update({ trouble: SemCoTError.from(error) });
  }
}

/**
 * @param {string} text
 * @param {string} truth
 * @param {string} family
 */
function setQuestion(text, truth, family) {
  question.value = text;
  update({ known: { text: text.trim(), truth, family }, trouble: state.engine ? null : state.trouble });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});
question.addEventListener("input", () => update());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.busy !== null) current.abort();
});
find("#stop-button", HTMLButtonElement).addEventListener("click", () => current.abort());
find("#new-problem", HTMLButtonElement).addEventListener("click", newProblem);
find("#repeat-button", HTMLButtonElement).addEventListener("click", repeat);
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    const language = /** @type {import("./strings/chosen.js").Language} */ (button instanceof HTMLElement && button.dataset.language);
    rememberLanguage(language);
    chooseLanguage(language);
    update();
  });
}
find("#trouble-reload", HTMLButtonElement).addEventListener("click", () => load());
find("#examples", HTMLElement).addEventListener("click", (event) => {
  const { question: text, answer, family = "" } = event.target instanceof HTMLButtonElement ? event.target.dataset : {};
  if (text && answer) setQuestion(text, answer, family);
});

listenToBatch({ state, update, withEngine, measureFloor, stop: () => current.abort(), model: modelAddress });
listenToOwn({ state, update, load, stopLoading: () => loading.abort() });
find("#look", HTMLDetailsElement).addEventListener("toggle", openLook);
chooseLanguage(firstLanguage());
const { question: firstText = "", answer: firstAnswer = "", family: firstFamily = "" } = find("#examples button", HTMLButtonElement).dataset;
setQuestion(firstText, firstAnswer, firstFamily);
mark("interactive");
// Afterwards, so that what is kept for the next visit is not fetched beside this one's model.
load().then(() => keepForOffline(state.engine?.info.device));
