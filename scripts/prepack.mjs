// Makes what the npm package holds besides the sources: the wasm, and in types/ the declarations that
// TypeScript reads from the modules' JSDoc. npm runs it before it packs.

import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT, run, runMain } from "./commands.mjs";
import { buildPage } from "./build.mjs";

const TYPES = join(ROOT, "types");

await runMain(async () => {
  await buildPage();
  rmSync(TYPES, { recursive: true, force: true });
  await run("tsc", ["--project", "tsconfig.types.json"]);
  // Declarations that are already such are read, but not copied.
  mkdirSync(join(TYPES, "pkg"), { recursive: true });
  for (const name of ["semcot.d.ts", "jinja.d.ts"]) cpSync(join(ROOT, "www", "pkg", name), join(TYPES, "pkg", name));
});
