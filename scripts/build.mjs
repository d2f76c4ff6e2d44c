// Builds the page's wasm into www/pkg: cargo, wasm-bindgen, wasm-opt. Each is skipped when its
// input is what it was, so that a second `npm start` begins at once.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { ROOT, Trouble, isMain, lockedVersion, run, runMain, targetFolder } from "./commands.mjs";
import { ensureBindgen, ensureNodePackages, ensureRust } from "./setup.mjs";

const PKG = join(ROOT, "www", "pkg");
/** Names the input of what lies in www/pkg. */
const STAMP = join(PKG, "built-from.txt");
/** What a visitor downloads before any model: brotli bytes of the wasm with its glue. */
export const SIZE_LIMIT_BYTES = 900_000;

/** Installs what the build needs and builds. */
export async function buildPage() {
  await ensureRust();
  await ensureNodePackages();
  await ensureBindgen();

  await run("cargo", [
    "build", "--profile", "wasm", "--target", "wasm32-unknown-unknown", "--lib", "--no-default-features",
  ]);
  const built = join(targetFolder(), "wasm32-unknown-unknown", "wasm", "semcot.wasm");
  const optimizer = JSON.parse(readFileSync(join(ROOT, "node_modules", "binaryen", "package.json"), "utf8")).version;
  const digest = createHash("sha256").update(readFileSync(built)).digest("hex");
  const stamp = `${digest} wasm-bindgen ${lockedVersion("wasm-bindgen")} binaryen ${optimizer}\n`;
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === stamp) return;

  rmSync(PKG, { recursive: true, force: true });
  mkdirSync(PKG, { recursive: true });
  await run("wasm-bindgen", [built, "--target", "web", "--out-dir", PKG, "--out-name", "semcot"]);
  const wasm = join(PKG, "semcot_bg.wasm");
  console.log("Optimizing the wasm (about a minute)");
  await run("wasm-opt", ["-Oz", wasm, "-o", `${wasm}.small`]);
  renameSync(`${wasm}.small`, wasm);
  writeFileSync(STAMP, stamp);
}

/**
 * Sizes of what the page loads before a model.
 * @returns {{ file: string, bytes: number, brotliBytes: number }[]}
 */
export function pageSizes() {
  return ["semcot_bg.wasm", "semcot.js"].map((file) => {
    const path = join(PKG, file);
    if (!existsSync(path)) throw new Trouble(`www/pkg/${file} is missing: run npm run build`);
    const bytes = statSync(path).size;
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes };
    return { file, bytes, brotliBytes: brotliCompressSync(readFileSync(path), { params }).length };
  });
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    await buildPage();
    for (const { file, bytes, brotliBytes } of pageSizes()) {
      console.log(`${file}: ${(bytes / 1000).toFixed(0)} kB, ${(brotliBytes / 1000).toFixed(0)} kB brotli`);
    }
  });
}
