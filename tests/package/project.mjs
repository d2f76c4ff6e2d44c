// The package as people get it: packed, and installed into projects outside of this one.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, run } from "../../scripts/commands.mjs";

/** Neither scripts of packages nor reports about them. */
const QUIETLY = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/**
 * Packs the package into a new folder, where projects may be put.
 * @returns {Promise<{ folder: string, tarball: string }>}
 */
export async function packed() {
  const folder = mkdtempSync(join(tmpdir(), "semcot-package-"));
  await run("npm", ["pack", "--loglevel=error", "--pack-destination", folder], { onLine: () => {} });
  const [name] = readdirSync(folder);
  return { folder, tarball: join(folder, name) };
}

/**
 * A project that has nothing but the package.
 * @param {{ folder: string, tarball: string }} pack
 * @returns {Promise<string>} its folder
 */
export async function emptyProject({ folder, tarball }) {
  const project = join(folder, "empty");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  await run("npm", ["install", ...QUIETLY, "--offline", tarball], { cwd: project });
  return project;
}

/**
 * A copy of an example with what its lock file names.
 * @param {{ folder: string }} pack
 * @param {string} name
 * @returns {Promise<string>} its folder
 */
export async function installedExample({ folder }, name) {
  const project = join(folder, "examples", name);
  const ours = join(ROOT, "examples", name);
  cpSync(ours, project, { recursive: true, filter: (path) => !/node_modules|dist$/.test(path.slice(ours.length)) });
  await run("npm", ["ci", ...QUIETLY], { cwd: project });
  return project;
}

/**
 * A folder with the bundlers that no example uses, by the lock file beside these tests.
 * @param {{ folder: string }} pack
 * @returns {Promise<string>}
 */
export async function installedBundlers({ folder }) {
  const project = join(folder, "bundlers");
  cpSync(join(ROOT, "tests", "package", "bundlers"), project, { recursive: true });
  await run("npm", ["ci", ...QUIETLY], { cwd: project });
  return project;
}
