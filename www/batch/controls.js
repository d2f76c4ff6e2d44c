// @ts-check
// What a visitor does in the batch panel: the form, its link, its files, pause and cancel.

import { find } from "../dom.js";
import { SemCoTError } from "../errors.js";
import { MODES } from "../semcot.js";
import { strings } from "../strings/chosen.js";
import { Gate, runBatch } from "./batch.js";
import { MAX_CHARACTERS, QuestionsError, readQuestions } from "./questions.js";
import { csvOf, jsonOf, linkOf, setupOf } from "./report.js";

/** @typedef {import("./report.js").Setup} Setup */
/** @typedef {import("../state.js").State} State */
/** @typedef {import("../state.js").Batch} Batch */

/**
 * @typedef {object} Page
 * @property {State} state
 * @property {(change?: Partial<State>) => void} update
 * @property {(busy: "batch", work: (engine: import("../semcot.js").SemCoT, signal: AbortSignal) => Promise<void>) => Promise<void>} withEngine
 * @property {(engine: import("../semcot.js").SemCoT, signal: AbortSignal) => Promise<void>} measureFloor of a token's time, once
 * @property {() => void} stop
 * @property {() => string} model the address of the model, for its hashes
 */

const panel = find("#batch", HTMLElement);
const form = find("#batch-form", HTMLFormElement);
const family = find("#batch-family", HTMLSelectElement);
const count = find("#batch-count", HTMLInputElement);
const seed = find("#batch-seed", HTMLInputElement);
const tokens = find("#batch-k", HTMLInputElement);
const own = find("#batch-own", HTMLTextAreaElement);
const file = find("#batch-file", HTMLInputElement);
const modes = [...form.querySelectorAll("input[name=mode]")].filter((box) => box instanceof HTMLInputElement);

/** @param {Page} page */
export function listenToBatch({ state, update, withEngine, measureFloor, stop, model }) {
  let gate = new Gate();
  const refuse = (/** @type {string} */ problem) => update({ batchProblem: problem });

  async function start() {
    const setup = readSetup();
    if (setup.modes.length === 0) return refuse(strings.batch.noMode);
    try {
      const given = setup.own === "" ? null : readQuestions(setup.own);
      await withEngine("batch", async (engine, signal) => {
        const questions = given ?? (await engine.problems(setup)).map(({ query, answer }) => ({ question: query, answer }));
        gate = new Gate();
        /** @type {Batch} */
        const batch = { setup, questions, rows: [], total: questions.length * setup.modes.length, startedAt: performance.now(), pausedAt: null, pausedMs: 0, copied: "" };
        update({ batch, batchProblem: "" });
        const onRow = (/** @type {import("./batch.js").Row} */ row) => {
          batch.rows.push(row);
          update();
        };
        await runBatch(engine, questions, setup.modes, { implicitTokens: setup.implicitTokens ?? undefined, signal, gate, onRow });
        if (batch.rows.every((row) => row.error !== null)) refuse(batch.rows[0].error ?? "");
        await measureFloor(engine, signal);
      });
    } catch (error) {
      if (!(error instanceof QuestionsError)) throw error;
      refuse(strings.batch.refused[error.reason](String(error.at)));
    }
  }

  function pause() {
    const { batch } = state;
    if (batch === null) return;
    const now = performance.now();
    if (batch.pausedAt === null) {
      gate.pause();
      batch.pausedAt = now;
    } else {
      gate.resume();
      batch.pausedMs += now - batch.pausedAt;
      batch.pausedAt = null;
    }
    update();
  }

  /** @param {File | undefined | null} given */
  async function take(given) {
    if (!given) return;
    if (given.size > MAX_CHARACTERS) return refuse(strings.batch.refused.tooLarge(String(MAX_CHARACTERS)));
    try {
      own.value = await given.text();
      readQuestions(own.value);
      refuse("");
    } catch (error) {
      refuse(error instanceof QuestionsError ? strings.batch.refused[error.reason](String(error.at)) : SemCoTError.from(error).message);
    }
  }

  /** @param {"json" | "csv"} kind */
  async function save(kind) {
    const { batch, engine } = state;
    if (batch === null) return;
    const facts = { ...(await factsOf(engine, model())), bandwidth: state.floor ?? null };
    const text = kind === "json" ? jsonOf(batch, facts) : csvOf(batch, facts);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind === "json" ? "application/json" : "text/csv" }));
    link.download = `semcot-batch.${kind}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function copyLink() {
    const { batch } = state;
    if (batch === null) return;
    const link = linkOf(batch.setup, location.href);
    batch.copied = link === null ? strings.batch.linkTooLong : strings.batch.linkReady;
    if (link !== null) {
      history.replaceState(null, "", link);
      await navigator.clipboard?.writeText(link).catch(() => {});
    }
    update();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  file.addEventListener("change", () => take(file.files?.[0]));
  panel.addEventListener("dragover", (event) => event.preventDefault());
  panel.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files[0]);
  });
  find("#batch-pause", HTMLButtonElement).addEventListener("click", pause);
  find("#batch-cancel", HTMLButtonElement).addEventListener("click", stop);
  find("#batch-json", HTMLButtonElement).addEventListener("click", () => save("json"));
  find("#batch-csv", HTMLButtonElement).addEventListener("click", () => save("csv"));
  find("#batch-link", HTMLButtonElement).addEventListener("click", copyLink);
  fill(setupOf(location.hash));
}

/** @returns {Setup} */
function readSetup() {
  const chosen = modes.filter((box) => box.checked).map((box) => box.value);
  return {
    family: family.value,
    count: count.valueAsNumber,
    seed: seed.valueAsNumber,
    modes: MODES.filter((mode) => chosen.includes(mode)),
    implicitTokens: Number.isNaN(tokens.valueAsNumber) ? null : tokens.valueAsNumber,
    own: own.value.trim(),
  };
}

/** @param {Partial<Setup> | null} setup of a link */
function fill(setup) {
  if (setup === null) return;
  if (setup.family !== undefined) family.dataset.wanted = setup.family;
  if (setup.count !== undefined) count.valueAsNumber = setup.count;
  if (setup.seed !== undefined) seed.valueAsNumber = setup.seed;
  if (setup.implicitTokens) tokens.valueAsNumber = setup.implicitTokens;
  if (setup.modes !== undefined) for (const box of modes) box.checked = setup.modes.some((mode) => mode === box.value);
  own.value = setup.own ?? "";
  panel.scrollIntoView();
}

/**
 * What the figures were measured on, with the hashes that the model folder promises (and loading checked).
 * @param {import("../semcot.js").SemCoT | null} engine
 * @param {string} model
 */
async function factsOf(engine, model) {
  const manifest = await fetch(new URL("semcot.json", new URL(model, document.baseURI))).then((it) => it.json()).catch(() => null);
  const built = await fetch(new URL("../pkg/semcot.built-from.txt", import.meta.url)).then((it) => (it.ok ? it.text() : "")).catch(() => "");
  return {
    date: new Date().toISOString(),
    adapter: engine?.info.adapter ?? null,
    kernels: engine?.info.kernels ?? null,
    tokensPerSubmit: engine?.info.tokensPerSubmit ?? null,
    browser: navigator.userAgent,
    version: built.trim(),
    model: { name: manifest?.name ?? engine?.info.name ?? "", files: manifest?.files ?? null },
  };
}
