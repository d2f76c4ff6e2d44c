// @ts-check
// Every text that the page's modules show, in English. What never changes stands in index.html.

/** @typedef {import("../errors.js").ErrorCode} ErrorCode */

const number = new Intl.NumberFormat("en");
const oneDigit = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const strings = {
  lanes: { implicit: "Implicit", explicit: "Written", direct: "Direct" },
  families: /** @type {Record<string, string>} */ ({ arithmetic: "Arithmetic", coin: "Coin flips", coin_flip: "Coin flips (public set)" }),

  number: (/** @type {number} */ value) => number.format(value),
  percent: (/** @type {number} */ fraction) => percent.format(fraction),
  /** A time as a person reads it: three digits, the unit that fits. */
  time: (/** @type {number} */ ms) => {
    if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
    return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
  },
  bytes: (/** @type {number} */ bytes) => {
    if (bytes >= 1e9) return `${oneDigit.format(bytes / 1e9)} GB`;
    if (bytes >= 1e6) return `${oneDigit.format(bytes / 1e6)} MB`;
    return `${number.format(Math.round(bytes / 1e3))} kB`;
  },
  factor: (/** @type {number} */ factor) => `${factor >= 10 ? number.format(Math.round(factor)) : oneDigit.format(factor)}×`,

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
    once: (/** @type {string} */ implicit, /** @type {string} */ explicit) => `One run each: ${implicit} against ${explicit}. Measure it properly below.`,
    median: (/** @type {string} */ implicit, /** @type {string} */ explicit, /** @type {number} */ repeats) =>
      `Median of ${repeats} runs each: ${implicit} against ${explicit}.`,
  },

  repeat: {
    progress: (/** @type {number} */ done, /** @type {number} */ total) => `Run ${done} of ${total}…`,
    range: (/** @type {string} */ low, /** @type {string} */ high) => `${low} – ${high}`,
    caption: (/** @type {number} */ repeats, /** @type {string} */ median, /** @type {string} */ low, /** @type {string} */ high) =>
      `${repeats} rounds. Implicit ${median} sooner than written, from ${low} to ${high} in single rounds.`,
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
