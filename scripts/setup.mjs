// Installs what is missing, and nothing that is there: the parts of a fresh machine that
// `npm start` and `npm test` need. Everything lands in git-ignored folders of the project, but for
// the wasm target (rustup's) and Debian packages (only as root).

import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, TOOLS, Trouble, findProgram, lockedVersion, outputOf, run } from "./commands.mjs";

/** Runs browser tests; 0.15.1 is the version that the recipes were measured with. */
const WASM_PACK_VERSION = "0.15.1";
/** The oldest compiler that the crate builds with (`rust-version` in Cargo.toml). */
const RUST_MINIMUM = [1, 95];
/** Lavapipe, Mesa's Vulkan on the CPU, where Debian puts it. */
const LAVAPIPE = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

/** What the tests need of Debian: the file that shows it is there, and its package. */
const DEBIAN = [
  { file: "/usr/bin/chromium", package: "chromium" },
  { file: "/usr/bin/chromedriver", package: "chromium-driver" },
  { file: LAVAPIPE, package: "mesa-vulkan-drivers" },
  { file: "/usr/lib/x86_64-linux-gnu/libvulkan.so.1", package: "libvulkan1" },
  // The long-term release 140 refuses WebGPU.
  { file: "/usr/bin/firefox-esr", package: "firefox-esr", newerThan: 140 },
  // The page in Korean is measured and pictured.
  { file: "/usr/share/fonts/truetype/nanum/NanumGothic.ttf", package: "fonts-nanum" },
];

/** Checks the compiler and adds the wasm target. */
export async function ensureRust() {
  const version = outputOf("rustc", ["--version"])?.match(/rustc (\d+)\.(\d+)/);
  if (!version) throw new Trouble("Rust is missing: install it from https://rustup.rs and run this again.");
  const [major, minor] = version.slice(1).map(Number);
  if (major === RUST_MINIMUM[0] && minor < RUST_MINIMUM[1]) {
    throw new Trouble(`Rust ${major}.${minor} is too old, ${RUST_MINIMUM.join(".")} is needed: run \`rustup update stable\`.`);
  }
  const targets = outputOf("rustup", ["target", "list", "--installed"]);
  if (targets !== null && !targets.includes("wasm32-unknown-unknown")) {
    await run("rustup", ["target", "add", "wasm32-unknown-unknown"]);
  }
}

/** The formatter and the linter, which a minimal toolchain comes without. */
export async function ensureRustComponents() {
  const components = outputOf("rustup", ["component", "list", "--installed"]) ?? "rustfmt clippy";
  for (const component of ["rustfmt", "clippy"]) {
    if (!components.includes(component)) await run("rustup", ["component", "add", component]);
  }
}

/** The packages of package-lock.json; `npm ci` only when the lock is newer than what is there. */
export async function ensureNodePackages() {
  const installed = join(ROOT, "node_modules", ".package-lock.json");
  const lock = join(ROOT, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
}

/** wasm-bindgen's command line, which must have exactly the version of the crate. */
export async function ensureBindgen() {
  const version = lockedVersion("wasm-bindgen");
  // Not --locked: the lock file that 0.2.130 was published with names a version that is gone.
  await ensureCargoProgram("wasm-bindgen", "wasm-bindgen-cli", version, []);
}

/** wasm-pack, which runs the wasm tests in a browser. Unoptimized: it only calls others, and optimizing takes minutes. */
export async function ensureWasmPack() {
  await ensureCargoProgram("wasm-pack", "wasm-pack", WASM_PACK_VERSION, ["--locked", "--debug"]);
}

/** Chromium, its driver and a Vulkan for machines without a GPU. */
export async function ensureDebianPackages() {
  const missing = DEBIAN.filter((entry) => !isInstalled(entry)).map((entry) => entry.package);
  if (missing.length === 0) return;
  const command = `apt-get install -y ${missing.join(" ")}`;
  if (process.getuid?.() !== 0 || !findProgram("apt-get")) {
    throw new Trouble(`The tests need ${missing.join(", ")}. On Debian: sudo ${command}`);
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { env });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env });
}

/** @param {{ file: string, newerThan?: number }} entry `newerThan`: a first number of what it says its version is */
function isInstalled({ file, newerThan }) {
  if (!existsSync(file)) return false;
  if (newerThan === undefined) return true;
  return Number(outputOf(file, ["--version"])?.match(/\d+/)?.[0]) > newerThan;
}

/**
 * What native WebGPU needs in the environment: lavapipe where there is no real GPU, nothing else.
 * @returns {Record<string, string>}
 */
export function vulkanEnvironment() {
  if (process.env.VK_DRIVER_FILES || existsSync("/dev/dri/renderD128") || existsSync("/dev/nvidia0")) return {};
  if (!existsSync(LAVAPIPE)) return {};
  const runtime = process.env.XDG_RUNTIME_DIR ?? mkdtempSync(join(tmpdir(), "semcot-xdg-"));
  return { VK_DRIVER_FILES: LAVAPIPE, XDG_RUNTIME_DIR: runtime };
}

/**
 * @param {string} program what the crate installs
 * @param {string} crate
 * @param {string} version
 * @param {string[]} flags
 */
async function ensureCargoProgram(program, crate, version, flags) {
  if (outputOf(program, ["--version"])?.includes(version)) return;
  console.log(`Installing ${crate} ${version} into .tools/ (a few minutes, once)`);
  // A target folder of its own, thrown away: 400 MB that nobody needs again.
  const target = mkdtempSync(join(tmpdir(), "semcot-install-"));
  try {
    const args = ["install", ...flags, `${crate}@${version}`, "--root", TOOLS];
    await run("cargo", args, { env: { CARGO_TARGET_DIR: target, CARGO_PROFILE_DEV_DEBUG: "0" } });
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
