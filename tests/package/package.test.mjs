// What `npm pack` makes: complete, without dependencies, and with declarations that hold.

import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { after, before, test } from "node:test";
import { ROOT, run } from "../../scripts/commands.mjs";
import { referencesIn } from "../../scripts/references.mjs";
import { emptyProject, packed } from "./project.mjs";

/** @type {Awaited<ReturnType<typeof packed>>} */ let pack;
/** @type {string} */ let project;
/** @type {string} */ let installed;
before(async () => {
  pack = await packed();
  project = await emptyProject(pack);
  installed = join(project, "node_modules", "semcot");
});
after(() => rmSync(pack.folder, { recursive: true }));

/** @returns {any} */
const manifest = () => JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));

test("it_installs_without_anything_else", () => {
  const packages = readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith("."));
  assert.deepEqual(packages, ["semcot"]);
  const { dependencies, peerDependencies, optionalDependencies } = manifest();
  assert.deepEqual([dependencies, peerDependencies, optionalDependencies], [undefined, undefined, undefined]);
});

test("it_holds_what_its_modules_name_and_no_module_that_none_of_them_does", () => {
  /** @type {any[]} */
  const targets = Object.values(manifest().exports).flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)));
  const entries = targets.filter((target) => !target.includes("*")).map((target) => posix.normalize(target));
  for (const entry of entries) assert.ok(existsSync(join(installed, entry)), entry);

  const reached = new Set(entries);
  for (const path of reached) {
    const text = /\.(js|d\.ts)$/.test(path) ? readFileSync(join(installed, path), "utf8") : "";
    const imported = [...text.matchAll(/import\("(\.[^"]+)"\)/g)].map(([, url]) => posix.join(posix.dirname(path), url));
    const named = path.endsWith(".d.ts")
      ? imported.map((it) => it.replace(/\.js$/, ".d.ts"))
      : referencesIn(path, text).map((reference) => reference.path);
    for (const it of named) {
      assert.ok(existsSync(join(installed, it)), `${path} names ${it}`);
      reached.add(it);
    }
  }
  const modules = readdirSync(join(installed, "www"), { recursive: true, encoding: "utf8" }).filter((name) => /\.(js|wasm)$/.test(name));
  assert.ok(modules.length > 10, `${modules.length} modules`);
  assert.deepEqual(modules.filter((name) => !reached.has(`www/${name}`)), [], "modules of the page, not of the package");
  for (const name of ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "models/mini/semcot.json"]) assert.ok(existsSync(join(installed, name)), name);
});

for (const [module, moduleResolution] of [["ESNext", "Bundler"], ["NodeNext", "NodeNext"]]) {
  test(`its_types_hold_for_a_strict_program_that_resolves_as_${moduleResolution.toLowerCase()}`, async () => {
    cpSync(join(ROOT, "tests", "package", "consumer.ts"), join(project, "consumer.ts"));
    const strict = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, skipLibCheck: false };
    const compilerOptions = { ...strict, noEmit: true, target: "ES2022", lib: ["ES2022", "DOM", "DOM.Iterable", "DOM.AsyncIterable"], module, moduleResolution, types: [] };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    await run("tsc", ["--project", project]);
  });
}
