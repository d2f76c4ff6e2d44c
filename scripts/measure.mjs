// `npm run measure -- --browser chromium|firefox --count 20`: asks held-out questions in one session of
// a headless browser, every mode in turn, and writes what came out to reports/.
//
//   --model models/mini/     the model folder
//   --family arithmetic      of the problems
//   --seed 1                 of the problems
//   --read-back await|wake   how read-backs are waited for; by the device unless told
//   --tokens-per-submit K    by the device unless told
//   --device gpu             or cpu: what browsers without WebGPU get
//
// `npm run measure -- --browser chromium|firefox --matvec BYTES`: how fast a matrix of so many bytes of
// each weight type is read there, beside a plain copy; what `semcot bench --matvec=BYTES` does natively.
//
// `npm run measure -- --startup [--rounds 5]`: how soon the built page is there, on first and second visits.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launchChromium, launchFirefox } from "./browsers.mjs";
import { buildPage } from "./build.mjs";
import { ROOT, Trouble, readOptions, runMain } from "./commands.mjs";
import { startServer } from "./serve.mjs";
import { measureStartup } from "./startup.mjs";

const OPTIONS = ["browser", "count", "model", "family", "seed", "read-back", "tokens-per-submit", "device", "matvec", "startup", "rounds"];

await runMain(async () => {
  const given = readOptions(OPTIONS);
  const name = String(given.browser ?? "chromium");
  if (!["chromium", "firefox"].includes(name)) throw new Trouble(`--browser ${name}: chromium or firefox`);
  const settings = {
    model: String(given.model ?? "models/mini/"),
    family: String(given.family ?? "arithmetic"),
    count: Number(given.count ?? 20),
    seed: Number(given.seed ?? 1),
    readBack: given["read-back"] && String(given["read-back"]),
    tokensPerSubmit: given["tokens-per-submit"] && Number(given["tokens-per-submit"]),
    device: String(given.device ?? "gpu"),
    matvecBytes: given.matvec && Number(given.matvec),
    rounds: given.startup && Number(given.rounds ?? 5),
  };
  if (!["gpu", "cpu"].includes(settings.device)) throw new Trouble(`--device ${settings.device}: gpu or cpu`);
  if (given.startup && name !== "chromium") throw new Trouble("--startup is measured in Chromium only");
  await buildPage();
  const server = await startServer({ port: 0 });
  const browser = name === "chromium" ? await launchChromium() : await launchFirefox();
  try {
    const version = await browser.version();
    const { subject, figures } = await measured(browser, server.url, settings);
    const report = {
      made_by: `npm run measure -- ${process.argv.slice(2).join(" ")}`.trim(),
      browser: `${name} ${version}`,
      settings,
      ...figures,
    };
    const suffix = [settings.device === "gpu" ? undefined : settings.device, settings.readBack].filter(Boolean).map((it) => `-${it}`).join("");
    const path = join(ROOT, "reports", `${name}-${subject}${suffix}.json`);
    mkdirSync(join(ROOT, "reports"), { recursive: true });
    writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
    const { answers: _, page_lanes: __, runs: ___, ...shown } = /** @type {any} */ (report);
    console.log(JSON.stringify(shown, null, 2));
    console.log(`\nwritten to ${path}`);
  } finally {
    await browser.close();
    await server.close();
  }
});

/**
 * What was asked for.
 * @param {any} browser of playwright or puppeteer
 * @param {string} url
 * @param {any} settings
 */
async function measured(browser, url, settings) {
  if (settings.rounds) return { subject: "startup", figures: await measureStartup(browser, settings.rounds) };
  const page = await browser.newPage();
  await page.goto(url);
  if (settings.matvecBytes) return { subject: "matvec", figures: await page.evaluate(measureMatrices, settings) };
  return { subject: settings.family, figures: await measureQuestions(page, settings) };
}

/**
 * @param {any} page of playwright or puppeteer
 * @param {any} settings
 */
async function measureQuestions(page, settings) {
  const lanes = await askByThePage(page);
  return { page_lanes: lanes, ...summary(await page.evaluate(inTheBrowser, settings)) };
}

/**
 * Runs in the browser.
 * @param {any} settings
 */
async function measureMatrices({ model, matvecBytes }) {
  const path = "/www/semcot.js";
  const { SemCoT } = await import(path);
  const engine = await SemCoT.load(model, { device: "gpu" });
  const { matvec } = await engine.bench({ matvecBytes });
  const { info } = engine;
  await engine.dispose();
  return { info, matvec };
}

/**
 * Asks the question that stands on the page as a visitor does, and reads the lanes.
 * @param {any} page of playwright or puppeteer
 */
async function askByThePage(page) {
  await page.waitForSelector("#ask-button:enabled", { timeout: 180_000 });
  await page.click("#ask-button");
  await page.waitForSelector("#headline-text.result", { timeout: 180_000 });
  return page.evaluate(() =>
    [...document.querySelectorAll(".lane")].map((lane) => ({
      lane: lane.id.replace("lane-", ""),
      answer: lane.querySelector(".answer-value")?.textContent,
      verdict: lane.querySelector(".verdict")?.textContent,
      time: lane.querySelector(".time-value")?.textContent,
    })),
  );
}

/**
 * Runs in the browser, with an engine of its own beside the page's.
 * @param {any} settings
 */
async function inTheBrowser({ model, family, count, seed, device, readBack, tokensPerSubmit }) {
  const path = "/www/semcot.js";
  const { SemCoT, MODES } = await import(path);
  const engine = await SemCoT.load(model, { device, readBack });
  const memoryAfterLoad = await engine.wasmMemoryBytes();
  const problems = await engine.problems({ family, seed, count });
  for (const mode of MODES) await engine.ask(problems[0].query, { mode, tokensPerSubmit });
  const answers = [];
  for (const [index, problem] of problems.entries()) {
    const first = index % MODES.length;
    for (const mode of [...MODES.slice(first), ...MODES.slice(0, first)]) {
      const answer = await engine.ask(problem.query, { mode, tokensPerSubmit });
      answers.push({ query: problem.query, truth: problem.answer, ...answer });
    }
  }
  const memoryAfterAll = await engine.wasmMemoryBytes();
  const info = engine.info;
  await engine.dispose();
  return { info, answers, memoryAfterLoad, memoryAfterAll };
}

/**
 * The figures of a session: each mode by itself, and the modes against each other.
 * @param {any} session
 */
function summary({ info, answers, memoryAfterLoad, memoryAfterAll }) {
  const tokensPerSubmit = answers[0].tokensPerSubmit ?? info.tokensPerSubmit;
  const of = (/** @type {string} */ mode) => answers.filter((/** @type {any} */ answer) => answer.mode === mode);
  const modes = Object.fromEntries(["implicit", "explicit", "direct"].map((mode) => {
    const runs = of(mode);
    const right = runs.filter((/** @type {any} */ run) => run.answer === run.truth).length;
    const bound = (/** @type {any} */ run) => Math.ceil(run.tokens / tokensPerSubmit) + 1;
    return [mode, {
      n: runs.length,
      right,
      ms_median: median(runs.map((/** @type {any} */ run) => run.ms.total)),
      ms_low: Math.min(...runs.map((/** @type {any} */ run) => run.ms.total)),
      ms_high: Math.max(...runs.map((/** @type {any} */ run) => run.ms.total)),
      tokens_median: median(runs.map((/** @type {any} */ run) => run.tokens)),
      read_backs_median: median(runs.map((/** @type {any} */ run) => run.readBacks)),
      read_backs_most: Math.max(...runs.map((/** @type {any} */ run) => run.readBacks)),
      over_read_back_bound: runs.filter((/** @type {any} */ run) => run.readBacks > bound(run)).length,
      dispatches_median: median(runs.map((/** @type {any} */ run) => run.dispatches)),
    }];
  }));
  const ratios = of("explicit").map((/** @type {any} */ run, /** @type {number} */ index) => run.ms.total / of("implicit")[index].ms.total);
  return {
    info,
    tokens_per_submit: tokensPerSubmit,
    explicit_over_implicit: modes.explicit.ms_median / modes.implicit.ms_median,
    explicit_over_implicit_by_question: { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) },
    modes,
    wasm_memory_bytes: { after_load: memoryAfterLoad, after_all: memoryAfterAll },
    answers,
  };
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
