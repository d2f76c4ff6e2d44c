// @ts-check
// Every text of the page, in English. `ko.js` has the same in Korean, key by key.

import { formatsOf } from "./formats.js";

/** @typedef {import("../errors.js").ErrorCode} ErrorCode */

const formats = formatsOf("en");

export const en = {
  language: "en",
  ...formats,
  /** What stands in index.html, by the names in its `data-text`, `data-label` and `data-content`. */
  page: {
    documentTitle: "semcot: reasoning without writing it down",
    description: "Implicit reasoning, written reasoning and a direct answer side by side, computed in your browser.",
    skip: "Skip to the question",
    title: "Reasoning, without writing it down",
    language: "Language",
    lede: "A small model thinks a problem through in {count}, and a frozen language model answers from them at once instead of writing its reasoning out. Everything runs here, in your browser.",
    noscript: "This page computes the answers itself, so it needs JavaScript.",
    reload: "Load the engine again",
    askForm: "Ask a question",
    questionLabel: "A word problem",
    ask: "Ask",
    stop: "Stop",
    examples: "Problems to try",
    newProblem: "New problem",
    family: "Kind of problem",
    apples: "Apples",
    balloons: "Balloons",
    posters: "Posters",
    coin: "A coin",
    askHint: "Enter asks, Shift+Enter begins a new line.",
    result: "Result",
    starting: "Starting…",
    implicit: "Implicit",
    explicit: "Written",
    direct: "Direct",
    implicitAbout: "A small generator hands over vectors.",
    explicitAbout: "The target writes its reasoning first.",
    directAbout: "The same target, with no reasoning.",
    implicitTokens: "Implicit tokens",
    tokens: "Tokens written",
    targetPasses: "Target passes",
    generatorPasses: "Generator passes",
    timingTitle: "Where the time went",
    phaseGenerator: "generator",
    phasePrefill: "reading (prefill)",
    phaseDecode: "writing (decode)",
    phaseRest: "handing over, waiting",
    repeatCount: "Runs of each",
    repeat: "Measure again",
    columnLane: "Lane",
    columnPhases: "Phases",
    columnAnswer: "Answer",
    columnTime: "Time",
    columnRange: "Fastest to slowest",
    whyTitle: "Why is it faster?",
    why: "A language model reads many positions in one pass but writes one token a pass. Written reasoning therefore costs a pass for every token, while the implicit vectors are read together with the question in one. The generator that makes them runs only once.",
    limitsTitle: "What this does not show",
    limits: "It does not show that vectors reason better than words: a target fine-tuned to answer directly does about as well on these problems ({card}). These are small models that know only such problems, in English, and how much sooner they answer depends on your device.",
    modelCard: "model card",
    accuracyTitle: "Measured accuracy",
    afterLoading: "Shown once a model is loaded.",
    accuracyCaption: "Held-out problems answered right, by the shipped files",
    columnProblems: "Problems",
    columnCount: "n",
    factsTitle: "This device, this model",
    footer: "The method is {paper}. Models, engine and page are this project's own work: Rust, wasm and WebGPU. Nothing you type leaves your device.",
  },
  lanes: { implicit: "Implicit", explicit: "Written", direct: "Direct" },
  families: /** @type {Record<string, string>} */ ({ arithmetic: "Arithmetic", coin: "Coin flips", coin_flip: "Coin flips (public set)" }),
  vectors: (/** @type {number | null} */ count) => `${count === null ? "a few" : formats.number(count)} vectors`,
  factor: (/** @type {number} */ factor) => `${formats.times(factor)}×`,

  loading: {
    start: "Starting…",
    download: (/** @type {string} */ loaded, /** @type {string} */ total) => `Fetching the models: ${loaded} of ${total}`,
    verify: "Checking the files…",
    upload: "Handing the models to the graphics device…",
    compile: "Preparing the kernels…",
    ready: "Ready.",
  },

  ask: {
    truth: (/** @type {string} */ answer) => `The answer is known: ${answer}`,
    noTruth: "",
  },

  lane: {
    idle: {
      implicit: "The vectors appear here, all at once.",
      explicit: "The reasoning appears here as it is written.",
      direct: "Nothing to see here: no reasoning.",
    },
    waiting: "Waits for its turn…",
    running: { implicit: "The generator reads the question…", explicit: "Writing…", direct: "Answering…" },
    noAnswer: "no answer",
    right: "✓ right",
    wrong: (/** @type {string} */ truth) => `✗ it is ${truth}`,
    cell: (/** @type {number} */ index, /** @type {number} */ count) => `Vector ${index} of ${count}`,
    announce: (/** @type {string} */ lane, /** @type {string} */ answer, /** @type {string} */ verdict, /** @type {string} */ time) =>
      [`${lane}: ${answer}`, verdict.replace(/[✓✗] /, ""), time].filter(Boolean).join(", "),
  },

  headline: {
    idle: "Which lane answers first?",
    running: "One lane after the other, so that none slows another…",
    stopped: "Stopped.",
    sooner: (/** @type {string} */ factor, /** @type {string} */ rest) => `Implicit answered ${factor} sooner${rest}`,
    later: (/** @type {string} */ factor, /** @type {string} */ rest) => `Written reasoning answered ${factor} sooner${rest}`,
    bothRight: ", and both are right.",
    onlyImplicit: ", and only implicit is right.",
    onlyExplicit: ", but only the written reasoning is right.",
    bothWrong: ", but both are wrong.",
    agree: (/** @type {string} */ answer) => `, and both say ${answer}.`,
    differ: (/** @type {string} */ implicit, /** @type {string} */ explicit) => `: it says ${implicit}, the written reasoning ${explicit}.`,
    once: (/** @type {string} */ implicit, /** @type {string} */ explicit) => `One run each: ${implicit} against ${explicit}. Measure again for a median.`,
    median: (/** @type {string} */ implicit, /** @type {string} */ explicit, /** @type {number} */ repeats) =>
      `Median of ${repeats} runs each: ${implicit} against ${explicit}.`,
  },

  timing: {
    progress: (/** @type {number} */ done, /** @type {number} */ total) => `Run ${done} of ${total}…`,
    range: (/** @type {string} */ low, /** @type {string} */ high) => `${low} – ${high}`,
    phases: (/** @type {string[]} */ [generator, prefill, decode, rest]) => `generator ${generator}, reading ${prefill}, writing ${decode}, handing over and waiting ${rest}`,
    noPhases: "not timed by this browser",
    right: "✓",
    wrong: "✗",
    idle: "To one scale, lane by lane; every lane has run once before, uncounted.",
    once: (/** @type {number} */ tokensPerSubmit) =>
      `One run each, to one scale. Same target and ${tokensPerSubmit} tokens a submit (K) in every lane; all have run once before, uncounted.`,
    measured: (/** @type {number} */ repeats, /** @type {string} */ factor, /** @type {string} */ low, /** @type {string} */ high, /** @type {number} */ tokensPerSubmit) =>
      `${repeats} rounds in turns after an uncounted one, K = ${tokensPerSubmit} in every lane: medians, and ${factor} sooner (${low} to ${high} in single rounds). Colours: the last run.`,
  },

  facts: {
    adapter: "Graphics device",
    software: "software: no GPU is used",
    unnamed: "not named by the browser",
    kernels: "Kernels",
    kernelsRejected: (/** @type {string} */ used, /** @type {string} */ rejected) =>
      `${used}; ${rejected} computes wrong values on this device and is not used`,
    model: "Model",
    target: "Target",
    generator: "Generator",
    size: (/** @type {string} */ parameters, /** @type {string} */ bytes) => `${parameters} parameters, ${bytes}`,
    implicitTokens: "Implicit tokens, k",
    tokensPerSubmit: "Tokens a submit, K",
    tokensPerSubmitValue: (/** @type {number} */ tokens) => `${tokens}, the same in every lane`,
    readBack: "A wait for the device",
    license: "Licence of the model",
    storage: "Files for the next visit",
    notKept: (/** @type {string} */ reason) => `not kept: ${reason}`,
    missing: "–",
  },

  trouble: {
    /** @type {Record<ErrorCode, { title: string, advice: string }>} */
    codes: {
      "no-webgpu": {
        title: "This browser cannot run it: no WebGPU",
        advice: "Use a current Chrome, Edge, Safari or Firefox. If it is current, look for WebGPU and hardware acceleration in its settings; on Linux, Chrome may need chrome://flags/#enable-unsafe-webgpu.",
      },
      "limit-too-low": {
        title: "The graphics device is too small for this model",
        advice: "Choose a smaller model, or another device.",
      },
      "out-of-memory": {
        title: "The graphics device has no memory left",
        advice: "Close other tabs that use it, then load again.",
      },
      "device-lost": {
        title: "The graphics device went away",
        advice: "That happens when a driver restarts or a laptop changes its graphics card. Your question is still here: load the engine again and ask once more.",
      },
      integrity: {
        title: "A model file is damaged",
        advice: "Load again. If it stays, the file on the server is not the one that the model folder names.",
      },
      network: {
        title: "A file could not be fetched",
        advice: "Check the connection and that the file is there, then load again.",
      },
      "unsupported-model": {
        title: "This model cannot be run here",
        advice: "Use a model folder made for this engine.",
      },
      "bad-input": {
        title: "This question cannot be asked",
        advice: "Change it and ask again.",
      },
      aborted: { title: "Stopped", advice: "Load the engine again to go on." },
      internal: {
        title: "The engine failed",
        advice: "That is a defect of this page. Load the engine again; if it returns, please report the message below.",
      },
    },
    empty: "The question is empty.",
  },
};
