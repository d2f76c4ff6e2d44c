// Running other programs, and saying plainly what is wrong: the small ground that the other
// scripts stand on. Only what Node itself brings, because these run before anything is installed.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Programs that the scripts install for themselves, git-ignored. */
export const TOOLS = join(ROOT, ".tools");
/** `PATH` with the project's own programs first. */
export const PATH = [join(TOOLS, "bin"), join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter);

/** A failure whose message is for the person at the terminal; no stack is shown. */
export class Trouble extends Error {}

/**
 * Runs a program and shows what it prints.
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string, onLine?: (line: string) => void }} [options]
 *   `onLine` is given every line printed, besides showing it.
 * @returns {Promise<void>} rejects with a [`Trouble`] when the program ends otherwise than with 0
 */
export function run(program, args, { env = {}, cwd = ROOT, onLine } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, PATH, ...env },
      stdio: onLine ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
    });
    for (const [stream, copy] of [[child.stdout, process.stdout], [child.stderr, process.stderr]]) {
      let rest = "";
      stream?.on("data", (data) => {
        copy.write(data);
        const lines = (rest + data).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) onLine(line);
      });
      stream?.on("end", () => rest && onLine(rest));
    }
    child.on("error", (error) => reject(new Trouble(`${program}: ${error.message}`)));
    child.on("close", (code, signal) =>
      code === 0 ? resolve() : reject(new Trouble(`${[program, ...args].join(" ")} ended with ${signal ?? code}`)),
    );
  });
}

/**
 * What a program prints on standard output, or null where it is missing or fails.
 * @param {string} program
 * @param {string[]} args
 * @returns {string | null}
 */
export function outputOf(program, args) {
  const result = spawnSync(program, args, { cwd: ROOT, env: { ...process.env, PATH }, encoding: "utf8" });
  return result.status === 0 ? result.stdout : null;
}

/**
 * Where a program lies on `PATH`, or null.
 * @param {string} program
 * @returns {string | null}
 */
export function findProgram(program) {
  for (const folder of PATH.split(delimiter)) {
    const file = join(folder, program);
    if (existsSync(file)) return file;
  }
  return null;
}

/**
 * The version of a crate in Cargo.lock.
 * @param {string} crate
 * @returns {string}
 */
export function lockedVersion(crate) {
  const lock = readFileSync(join(ROOT, "Cargo.lock"), "utf8");
  const found = lock.match(new RegExp(`name = "${crate}"\\nversion = "([^"]+)"`));
  if (!found) throw new Trouble(`Cargo.lock has no ${crate}`);
  return found[1];
}

/** Cargo's target folder, wherever the environment has put it. */
export function targetFolder() {
  const metadata = outputOf("cargo", ["metadata", "--format-version", "1", "--no-deps"]);
  if (!metadata) throw new Trouble("cargo metadata failed: is Rust installed? See https://rustup.rs");
  return JSON.parse(metadata).target_directory;
}

/**
 * Runs a script's main function; a [`Trouble`] is printed as one message.
 * @param {() => Promise<void>} main
 */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Trouble ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

/**
 * The command line as `--name value` pairs; a name without a value is `true`.
 * @param {string[]} names the options that there are
 * @returns {Record<string, string | true>}
 */
export function readOptions(names) {
  /** @type {Record<string, string | true>} */
  const options = {};
  const words = process.argv.slice(2);
  while (words.length > 0) {
    const word = /** @type {string} */ (words.shift());
    const [name, glued] = word.replace(/^--/, "").split(/=(.*)/s);
    if (!word.startsWith("--") || !names.includes(name)) {
      throw new Trouble(`unknown argument ${word}; there are ${names.map((known) => `--${known}`).join(", ")}`);
    }
    options[name] = glued ?? (words[0] && !words[0].startsWith("--") ? /** @type {string} */ (words.shift()) : true);
  }
  return options;
}

/**
 * Whether a module is the script that was started, rather than imported by another.
 * @param {string} moduleUrl `import.meta.url`
 */
export function isMain(moduleUrl) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(moduleUrl);
}
