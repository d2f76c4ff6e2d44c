// `npm run build`: the page's wasm into www/pkg (cargo, wasm-bindgen, wasm-opt; each is skipped when its
// input is what it was, so that a second `npm start` begins at once), and the site into dist/.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, Trouble, isMain, lockedVersion, run, runMain, targetFolder } from "./commands.mjs";
import { ensureBindgen, ensureNodePackages, ensureRust } from "./setup.mjs";

const PKG = join(ROOT, "www", "pkg");

/**
 * A wasm module with its glue, as it is built.
 * @typedef {object} Module
 * @property {string} name of its files in www/pkg
 * @property {string} profile of Cargo
 * @property {string[]} features
 * @property {string} optimize what wasm-opt aims at
 */

/** The engine on WebGPU, and the one of browsers without it, which no other visitor fetches. @type {Module[]} */
const MODULES = [
  { name: "semcot", profile: "wasm", features: [], optimize: "-Oz" },
  { name: "semcot_cpu", profile: "wasm-cpu", features: ["web-cpu"], optimize: "-O3" },
];

/** What a visitor may have to download before any model: brotli bytes of page, modules, styles and wasm. */
const SIZE_LIMIT_BYTES = 800_000;

/** Installs what the build needs and builds. */
export async function buildPage() {
  await ensureRust();
  await ensureNodePackages();
  await ensureBindgen();

  mkdirSync(PKG, { recursive: true });
  for (const module of MODULES) await buildModule(module);
  bringJinja();
}

/** @param {Module} module */
async function buildModule({ name, profile, features, optimize }) {
  const target = ["--target", "wasm32-unknown-unknown"];
  await run("cargo", ["build", "--profile", profile, ...target, "--lib", "--no-default-features", "--features", features.join(",")]);
  const built = join(targetFolder(), "wasm32-unknown-unknown", profile, "semcot.wasm");
  const optimizer = JSON.parse(readFileSync(join(ROOT, "node_modules", "binaryen", "package.json"), "utf8")).version;
  const digest = createHash("sha256").update(readFileSync(built)).digest("hex");
  // Names the input of what lies in www/pkg.
  const stampFile = join(PKG, `${name}.built-from.txt`);
  const stamp = `${digest} wasm-bindgen ${lockedVersion("wasm-bindgen")} binaryen ${optimizer} ${optimize}\n`;
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;

  rmSync(stampFile, { force: true });
  await run("wasm-bindgen", [built, "--target", "web", "--out-dir", PKG, "--out-name", name]);
  const wasm = join(PKG, `${name}_bg.wasm`);
  console.log(`Optimizing ${name}.wasm (about a minute)`);
  await run("wasm-opt", [optimize, wasm, "-o", `${wasm}.small`]);
  renameSync(`${wasm}.small`, wasm);
  writeFileSync(stampFile, stamp);
}

/**
 * Puts the reader of chat templates beside the wasm, with its licence: the package has no dependencies, and
 * its modules can name only what lies among them.
 */
function bringJinja() {
  const from = join(ROOT, "node_modules", "@huggingface", "jinja");
  const { version } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
  const license = readFileSync(join(from, "LICENSE"), "utf8").trim();
  const module = readFileSync(join(from, "dist", "index.js"), "utf8");
  writeFileSync(join(PKG, "jinja.js"), `/*! @huggingface/jinja ${version}\n\n${license}\n*/\n${module}`);
  // What is used of it; its own declarations are many files.
  const declared = "export class Template {\n  constructor(template: string);\n  render(values: Record<string, unknown>): string;\n}\n";
  writeFileSync(join(PKG, "jinja.d.ts"), declared);
}

/** Puts the site into dist/, tells what it weighs, and fails when that is more than visitors were promised. */
export async function buildWeighedSite() {
  // The build's own packages are there only by now.
  const { DIST, buildSite, pageSizes } = await import("./site.mjs");
  const sizes = pageSizes(buildSite());
  const line = (/** @type {string} */ file, /** @type {number} */ bytes, /** @type {number} */ brotliBytes) =>
    console.log(`${file.padEnd(28)} ${String(bytes).padStart(8)} bytes ${String(brotliBytes).padStart(7)} brotli`);
  for (const { file, bytes, brotliBytes } of sizes) line(file, bytes, brotliBytes);
  const sum = (/** @type {"bytes" | "brotliBytes"} */ name) => sizes.reduce((total, size) => total + size[name], 0);
  line("the page without models", sum("bytes"), sum("brotliBytes"));
  console.log(`at most ${SIZE_LIMIT_BYTES} brotli; the site lies in ${DIST}`);
  if (sum("brotliBytes") > SIZE_LIMIT_BYTES) throw new Trouble("The page has grown past its limit.");
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await buildPage();
    await buildWeighedSite();
  });
}
