// `npm test`: everything that must hold before a change lands. One list of steps; all are run,
// also after a failure, so that one run tells all that is wrong.
//
//   npm test                            everything
//   npm test -- --only page,native      some steps (what they need is built first)
//   npm test -- --only references-firefox
//                                       a step that takes minutes runs only where it is named

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT, Trouble, readOptions, run, runMain } from "./commands.mjs";
import { buildPage, buildWeighedSite } from "./build.mjs";
import {
  ensureBindgen, ensureDebianPackages, ensureNodePackages, ensureRust, ensureRustComponents, ensureWasmPack,
  vulkanEnvironment,
} from "./setup.mjs";

const CLIPPY = ["clippy", "--all-targets"];
const DENY = ["--", "-D", "warnings"];
const WASM = ["--target", "wasm32-unknown-unknown", "--no-default-features"];

/**
 * @typedef {object} Step
 * @property {string} name what `--only` takes
 * @property {string} title
 * @property {boolean} [onlyNamed] runs only where `--only` names it
 * @property {(count: (line: string) => void) => Promise<void>} run `count` reads the lines printed
 *   for how many tests there were
 */

/** @type {Step[]} */
const STEPS = [
  { name: "format", title: "Formatting", run: () => run("cargo", ["fmt", "--check"]) },
  { name: "clippy", title: "Lints, native", run: () => run("cargo", [...CLIPPY, ...DENY]) },
  { name: "clippy-train", title: "Lints, training", run: () => run("cargo", [...CLIPPY, "--features", "train", ...DENY]) },
  { name: "clippy-wasm", title: "Lints, wasm", run: () => run("cargo", [...CLIPPY, ...WASM, ...DENY]) },
  {
    name: "clippy-wasm-cpu",
    title: "Lints, wasm for the CPU",
    run: () => run("cargo", [...CLIPPY, ...WASM, "--features", "web-cpu", ...DENY]),
  },
  {
    name: "native",
    title: "Native tests",
    run: (count) => run("cargo", ["test"], { env: vulkanEnvironment(), onLine: count }),
  },
  {
    name: "train",
    title: "Training tests",
    // Release: a few optimizer steps take minutes without it.
    run: async (count) => {
      const release = ["test", "--release", "--features", "train"];
      await run("cargo", [...release, "--lib", "train"], { onLine: count });
      await run("cargo", [...release, "--test", "train", "--test", "methods", "--test", "published", "--test", "paper"], { onLine: count });
    },
  },
  {
    name: "wasm",
    title: "Wasm tests in Chromium",
    run: async (count) => {
      await ensureBindgen();
      await ensureWasmPack();
      const args = ["test", "--headless", "--chrome", "--chromedriver", "/usr/bin/chromedriver", "--mode", "no-install"];
      await run("wasm-pack", [...args, "--", "--no-default-features"], {
        // The table of kernels compiles some hundred pipelines.
        env: { WASM_BINDGEN_TEST_TIMEOUT: "300" },
        onLine: count,
      });
    },
  },
  { name: "build", title: "The page's wasm", run: buildPage },
  { name: "site", title: "The site, and its size", run: buildWeighedSite },
  { name: "types", title: "Types of the page's modules", run: () => run("tsc", ["--noEmit"]) },
  { name: "scripts", title: "Tests of the scripts", run: (count) => nodeTests("tests/scripts", count) },
  { name: "page", title: "Page tests in Chromium", run: (count) => nodeTests("tests/page", count) },
  { name: "package", title: "The npm package, as others install it", run: (count) => nodeTests("tests/package", count) },
  {
    name: "endurance",
    title: "Five hundred questions in a row",
    onlyNamed: true,
    run: (count) => run(process.execPath, ["--test", "--test-reporter=spec", "tests/page/endurance.test.mjs"], { env: { SEMCOT_QUESTIONS: "500" }, onLine: count }),
  },
  { name: "references", title: "Reference values in Chromium, a file of each kind", run: (count) => references("chromium_gives_the", count) },
  { name: "references-chromium", title: "All reference values in Chromium", onlyNamed: true, run: (count) => references("chromium_gives_all", count) },
  { name: "references-firefox", title: "All reference values in Firefox", onlyNamed: true, run: (count) => references("firefox_gives_all", count) },
  {
    name: "large",
    title: "Models of gigabytes",
    onlyNamed: true,
    run: async (count) => {
      await run("cargo", ["build", "--release"]);
      await nodeTests("tests/large", count);
    },
  },
];

/** What has to have run before a step means anything. */
const NEEDS_BUILD = ["site", "types", "page", "package", "endurance", "references", "references-chromium", "references-firefox", "large"];

/**
 * @param {string | true | undefined} only names of steps, comma between
 * @returns {Step[]}
 */
function chosenSteps(only) {
  if (only === undefined) return STEPS.filter((step) => !step.onlyNamed);
  const names = String(only).split(",");
  const unknown = names.find((name) => !STEPS.some((step) => step.name === name));
  if (unknown) throw new Trouble(`no step ${unknown}; there are ${STEPS.map((step) => step.name).join(", ")}`);
  if (names.some((name) => NEEDS_BUILD.includes(name))) names.push("build");
  return STEPS.filter((step) => names.includes(step.name));
}

/**
 * Runs a folder's `*.test.mjs` one file after another: they share two cores with a browser each.
 * @param {string} folder
 * @param {(line: string) => void} count
 */
async function nodeTests(folder, count) {
  const files = readdirSync(join(ROOT, folder)).filter((file) => file.endsWith(".test.mjs"));
  const paths = files.sort().map((file) => join(folder, file));
  if (paths.length === 0) throw new Trouble(`${folder} has no tests`);
  const reporter = "--test-reporter=spec";
  await run(process.execPath, ["--test", reporter, "--test-concurrency=1", ...paths], { onLine: count });
}

/**
 * Compares the page's engine with the reference folder, by the code that compares the native one.
 * @param {string} tests the beginning of their names
 * @param {(line: string) => void} count
 */
async function references(tests, count) {
  const args = ["test", "--test", "fixtures", `models::${tests}`, "--", "--ignored", "--nocapture"];
  await run("cargo", args, { env: vulkanEnvironment(), onLine: count });
}

/** Adds up what test runners say; a step without tests counts as one. */
class TestCounter {
  passed = 0;
  failed = 0;

  /** @param {string} line */
  read(line) {
    const cargo = line.match(/^test result: \w+\. (\d+) passed; (\d+) failed/);
    const node = line.match(/^ℹ (pass|fail|cancelled) (\d+)$/);
    if (cargo) {
      this.passed += Number(cargo[1]);
      this.failed += Number(cargo[2]);
    } else if (node) {
      this[node[1] === "pass" ? "passed" : "failed"] += Number(node[2]);
    }
  }

  /** @param {boolean} stepFailed */
  result(stepFailed) {
    if (stepFailed) return { passed: this.passed, failed: Math.max(1, this.failed) };
    return { passed: Math.max(1, this.passed), failed: this.failed };
  }
}

await runMain(async () => {
  const { only } = readOptions(["only"]);
  const steps = chosenSteps(only);
  await ensureRust();
  await ensureRustComponents();
  await ensureNodePackages();
  await ensureDebianPackages();

  /** @type {{ step: Step, seconds: number, passed: number, failed: number, error: unknown }[]} */
  const results = [];
  for (const step of steps) {
    console.log(`\n── ${step.title} ──`);
    const counter = new TestCounter();
    const start = performance.now();
    let error = null;
    try {
      await step.run((line) => counter.read(line));
    } catch (caught) {
      error = caught;
      console.error(caught instanceof Trouble ? caught.message : caught);
    }
    const { passed, failed } = counter.result(error !== null);
    results.push({ step, seconds: (performance.now() - start) / 1000, passed, failed, error });
  }

  console.log("\n");
  for (const { step, seconds, passed, failed, error } of results) {
    const time = `${seconds.toFixed(0)} s`.padStart(7);
    const tests = passed + failed > 1 ? `  (${passed} passed, ${failed} failed)` : "";
    console.log(`${error ? "FAILED" : "ok    "} ${time}  ${step.title}${tests}`);
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  if (failed > 0) process.exitCode = 1;
  console.log(`\n${passed} passed, ${failed} failed`);
});
