// @ts-check
// <semcot-demo>: a question answered in several ways, for anybody's page.
//
//   <script type="module" src="semcot/www/element.js"></script>
//   <semcot-demo src="models/mini/" question="Maria has 12 apples. …" modes="implicit explicit" lang="en"></semcot-demo>
//
// Nothing is fetched before it is asked, and nothing is computed before it is seen. Elements of one page
// that name the same model share an engine.

import { MARKUP } from "./element/markup.js";
import { leaveEngine, takeEngine } from "./element/shared.js";
import { STYLES } from "./element/styles.js";
import { show } from "./element/view.js";
import { SemCoTError } from "./errors.js";
import { modelUrl } from "./kept.js";
import { MODES, SemCoT } from "./semcot.js";

/** @typedef {import("./semcot.js").Answer} Answer */
/** @typedef {import("./semcot.js").Mode} Mode */
/** @typedef {import("./semcot.js").Piece} Piece */
/** @typedef {import("./semcot.js").Progress} Progress */

/** Shown where `modes` names none. @type {readonly Mode[]} */
const USUAL_MODES = ["implicit", "explicit"];
/** Where there are no elements (a page being rendered on a server), the module can still be imported. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

/**
 * Attributes: `src`, a model folder; `question`; `answer`, the true one, where it is known; `modes`, of
 * `implicit`, `explicit` and `direct`; `lang`, `en` or `ko`; `device`, `worker-url`, `wasm-url` and
 * `cpu-wasm-url`, as `SemCoT.load` takes them.
 *
 * Events, which do not bubble: `progress` with a `Progress` as its `detail`, `token` with
 * `{ mode: Mode, piece: Piece }`, `done` with `{ question: string, answers: Partial<Record<Mode, Answer>> }`,
 * and `error` with a `SemCoTError`.
 *
 * Parts: `form`, `label`, `question`, `button`, `run`, `stop`, `lanes`, `lane`, `lane-name`, `placeholder`,
 * `vector`, `reasoning`, `answer`, `verdict`, `time`, `bar`, `progress`, `status`, `note`. Custom properties:
 * `--semcot-accent`, `--semcot-accent-ink`, `--semcot-explicit`, `--semcot-direct`, `--semcot-paper`,
 * `--semcot-ink`, `--semcot-ink-soft`, `--semcot-line`, `--semcot-radius`, `--semcot-font`.
 */
export class SemCoTDemo extends Base {
  static observedAttributes = ["src", "question", "answer", "modes", "lang", "device", "worker-url", "wasm-url", "cpu-wasm-url"];

  #root;
  /** @type {import("./element/view.js").DemoState} */
  #state = { language: "en", modes: USUAL_MODES, phase: "idle", progress: null, lanes: {}, running: null, truth: null, trouble: null };
  /** Stops what runs now. */
  #current = new AbortController();
  /** The engine held. @type {import("./element/shared.js").Order | null} */
  #order = null;
  /** @type {IntersectionObserver | null} */
  #observer = null;

  constructor() {
    super();
    this.#root = this.attachShadow({ mode: "open", delegatesFocus: true });
    this.#root.innerHTML = MARKUP;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    this.#root.adoptedStyleSheets = [sheet];
    const form = /** @type {HTMLFormElement} */ (this.#root.querySelector("form"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.run();
    });
    this.#root.querySelector("#stop")?.addEventListener("click", () => this.stop());
    this.#root.addEventListener("keydown", (event) => {
      if (/** @type {KeyboardEvent} */ (event).key === "Escape") this.stop();
    });
  }

  /** Address of the model folder, as the attribute says. */
  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(value) {
    this.setAttribute("src", value);
  }

  /** The question in the box. */
  get question() {
    return this.#box.value;
  }

  set question(value) {
    this.setAttribute("question", value);
  }

  /** Ways of answering that are shown, separated by spaces. */
  get modes() {
    return this.#state.modes.join(" ");
  }

  set modes(value) {
    this.setAttribute("modes", value);
  }

  connectedCallback() {
    this.#update({ language: this.#language() });
    // What is missing is said as soon as somebody looks, rather than after a click.
    this.#observer ??= new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      this.#observer?.disconnect();
      SemCoT.isSupported().then(({ devices, reasons: [reason] }) => {
        const wanted = this.#device() === "gpu" ? devices.filter((it) => it === "gpu") : devices;
        if (reason && wanted.length === 0 && this.#state.phase === "idle") this.#update({ trouble: new SemCoTError(reason.code, reason.message) });
      });
    });
    this.#observer.observe(this);
  }

  disconnectedCallback() {
    // An element that is only moved is back by then.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#observer?.disconnect();
      this.#leave();
      this.#update({ phase: this.#state.phase === "done" ? "done" : "idle", running: null });
    });
  }

  /**
   * @param {string} name
   * @param {string | null} old
   * @param {string | null} value
   */
  attributeChangedCallback(name, old, value) {
    if (old === value) return;
    switch (name) {
      case "question":
        this.#box.value = value ?? "";
        this.#forget();
        return this.#update({ lanes: {}, phase: "idle", running: null });
      case "modes": {
        const named = (value ?? "").split(/\s+/);
        const modes = MODES.filter((mode) => named.includes(mode));
        this.#forget();
        return this.#update({ modes: modes.length > 0 ? modes : USUAL_MODES, lanes: {}, phase: "idle", running: null });
      }
      case "lang":
        return this.#update({ language: this.#language() });
      case "answer":
        return this.#update();
      default:
        // Another model, or from elsewhere.
        this.#leave();
        return this.#update({ lanes: {}, phase: "idle", running: null, trouble: null });
    }
  }

  /**
   * Asks the question in the box in every mode; loads the model first, where it is not.
   * @returns {Promise<Partial<Record<Mode, Answer>> | null>} null where it was stopped or went wrong, which is
   *   shown, and told by `error`
   */
  async run() {
    const controller = this.#forget();
    const { signal } = controller;
    const question = this.question.trim();
    const truth = question === (this.getAttribute("question") ?? "").trim() ? this.getAttribute("answer") : null;
    try {
      this.#update({ phase: "loading", progress: null, lanes: {}, trouble: null, truth });
      const engine = await this.#engine(signal);
      this.#update({ phase: "running", progress: null });
      /** @type {Partial<Record<Mode, Answer>>} */
      const answers = {};
      for (const mode of this.#state.modes) answers[mode] = await this.#ask(engine, question, mode, signal);
      this.#update({ phase: "done", running: null });
      this.#tell("done", { question, answers });
      return answers;
    } catch (thrown) {
      const error = SemCoTError.from(thrown);
      // What came after has its own state.
      if (this.#current !== controller) return null;
      if (error.code === "aborted") {
        this.#update({ phase: "stopped", running: null });
      } else {
        this.#update({ phase: "idle", running: null, trouble: error });
        this.#tell("error", error);
      }
      return null;
    }
  }

  /** Stops what is under way. */
  stop() {
    this.#current.abort();
  }

  /** What is to compute. */
  #device() {
    return /** @type {import("./semcot.js").LoadSettings["device"]} */ (this.getAttribute("device") ?? "auto");
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<SemCoT>}
   */
  #engine(signal) {
    const url = (/** @type {string} */ name) => {
      const value = this.getAttribute(name);
      return value === null ? undefined : new URL(value, document.baseURI).href;
    };
    if (this.src === "") throw new SemCoTError("bad-input", 'This element names no model: give it a src, as src="models/mini/".');
    const urls = { workerUrl: url("worker-url"), wasmUrl: url("wasm-url"), cpuWasmUrl: url("cpu-wasm-url") };
    this.#order ??= { src: modelUrl(this.src), device: this.#device(), ...urls };
    const onProgress = (/** @type {Progress} */ progress) => {
      this.#tell("progress", progress);
      if (this.#state.phase === "loading") this.#update({ progress });
    };
    return takeEngine(this.#order, this, { signal, onProgress });
  }

  /**
   * @param {SemCoT} engine
   * @param {string} question
   * @param {Mode} mode
   * @param {AbortSignal} signal
   */
  async #ask(engine, question, mode, signal) {
    /** @type {import("./element/view.js").Lane} */
    const lane = { vectors: 0, reasoning: "", answer: null };
    this.#state.lanes[mode] = lane;
    this.#update({ running: mode });
    const run = engine.ask(question, { mode, signal });
    for await (const piece of run) {
      if (piece.kind === "implicit_tokens") lane.vectors = piece.count;
      else if (!piece.answer) lane.reasoning += piece.text;
      this.#tell("token", { mode, piece });
      this.#update();
    }
    lane.answer = await run;
    this.#update();
    return lane.answer;
  }

  /** Stops what is under way without a word of it. */
  #forget() {
    this.#current.abort();
    return (this.#current = new AbortController());
  }

  /** Gives the engine back. */
  #leave() {
    this.#forget();
    if (this.#order !== null) leaveEngine(this.#order, this);
    this.#order = null;
  }

  /** @param {Partial<import("./element/view.js").DemoState>} [change] */
  #update(change = {}) {
    Object.assign(this.#state, change);
    show(this.#root, this.#state);
  }

  /**
   * @param {"progress" | "token" | "done" | "error"} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Of the element, of what it stands in, or of the browser. */
  #language() {
    const named = this.closest("[lang]")?.getAttribute("lang");
    return named || navigator.language;
  }

  get #box() {
    return /** @type {HTMLTextAreaElement} */ (this.#root.querySelector("#question"));
  }
}

if (globalThis.customElements && !customElements.get("semcot-demo")) customElements.define("semcot-demo", SemCoTDemo);
