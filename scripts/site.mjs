// The site as it is put on a server: the pages, what they name, and the models, in dist/. Nothing is
// bundled or minified; files get names with the hash of their contents (so that browsers may keep them
// for good and versions never mix), and a service worker to keep them for visits without a network.

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { ROOT, Trouble } from "./commands.mjs";
import { referencesIn } from "./references.mjs";

/** Where the built site lies. */
export const DIST = join(ROOT, "dist");
/** First parts of the paths there. */
export const SERVED = ["index.html", "service-worker.js", "semcot.js", "semcot-demo.js", "www", "docs", "models", "MODEL_CARD.md"];
/** The answering page: what it takes is what is weighed. */
const PAGE = "index.html";
const SERVICE_WORKER = "service-worker.js";
/** Addresses for other pages to import, which stay from build to build: what they stand for. */
const ENTRIES = { "semcot.js": "www/semcot.js", "semcot-demo.js": "www/element.js" };
/** Copied as they are: their addresses are given to others, and their files are checked by digests anyway. */
const MODELS = "models";
/** Kinds of files whose names stay, because people link to them. */
const LASTING = [".html", ".md"];
/** Kinds of files that are kept for visits without a network only once they were used. */
const KEPT_WHEN_USED = [".png"];
/** The engine of browsers without WebGPU: fetched only there, and then kept as well. */
const ON_DEMAND = "www/pkg/semcot_cpu";
const HASH_LENGTH = 12;

/**
 * A file of the site.
 * @typedef {object} SiteFile
 * @property {string} name in dist/
 * @property {Buffer} content
 * @property {string} digest SHA-256 of the content
 * @property {string[]} names the files that it names, as they are called in the project
 * @property {string[]} imports those of them that a module cannot begin without
 */

/** @typedef {(path: string) => Buffer} Read gives a file of the project by its path there */

/**
 * Builds the site from the project's pages.
 * @param {{ into?: string, read?: Read }} [options]
 * @returns {Map<string, SiteFile>} the files by their paths in the project, without the models
 */
export function buildSite({ into = DIST, read = (path) => readFileSync(join(ROOT, path)) } = {}) {
  /** @type {Map<string, SiteFile>} */
  const files = new Map();
  for (const path of [PAGE, ...docsPages(), ...Object.values(ENTRIES)]) addFile(path, files, read, []);
  for (const [name, path] of Object.entries(ENTRIES)) files.set(name, fileOf(name, `export * from "./${files.get(path)?.name}";\n`));

  rmSync(into, { recursive: true, force: true });
  cpSync(join(ROOT, MODELS), join(into, MODELS), { recursive: true });
  const contents = [...files.values()].map(({ name, content }) => /** @type {[string, string | Buffer]} */ ([name, content]));
  for (const [name, content] of [...contents, [SERVICE_WORKER, serviceWorker(files, read)]]) {
    const path = join(into, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return files;
}

/**
 * What a visitor of the answering page downloads before any model, file by file.
 * @param {Map<string, SiteFile>} files
 * @returns {{ file: string, bytes: number, brotliBytes: number }[]} the largest first
 */
export function pageSizes(files) {
  const sizes = [...reached(files)].map((path) => {
    const { content } = /** @type {SiteFile} */ (files.get(path));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
    return { file: path, bytes: content.length, brotliBytes: brotliCompressSync(content, { params }).length };
  });
  return sizes.sort((a, b) => b.brotliBytes - a.brotliBytes);
}

/**
 * Adds a file and first all that it names, so that their names are known.
 * @param {string} path
 * @param {Map<string, SiteFile>} files
 * @param {Read} read
 * @param {string[]} from the files that are being added, each naming the next
 */
function addFile(path, files, read, from) {
  if (files.has(path)) return;
  const extension = posix.extname(path);
  const lasting = LASTING.includes(extension);
  // Pages may name each other: their names are known beforehand.
  if (from.includes(path)) {
    if (lasting) return;
    throw new Trouble(`These modules need each other, so that none can be named by its contents: ${[...from, path].join(" → ")}`);
  }
  if (!existsSync(join(ROOT, path))) throw new Trouble(`${from.at(-1)} names ${path}, which is not there.`);
  const source = read(path);
  const own = source.toString();
  const references = referencesIn(path, own).filter((it) => isFile(it.path));
  for (const reference of references) addFile(reference.path, files, read, [...from, path]);

  let text = "";
  let at = 0;
  for (const { start, end, path: named, suffix } of references) {
    const target = files.get(named)?.name ?? named;
    text += own.slice(at, start) + relativeUrl(path, target) + suffix;
    at = end;
  }
  text += own.slice(at);
  if (path === PAGE) text = pageOfSite(text, files, references.map((it) => it.path));
  const content = references.length > 0 || path === PAGE ? Buffer.from(text) : source;
  const digest = createHash("sha256").update(content).digest("hex");
  const name = lasting ? path : `${path.slice(0, -extension.length)}-${digest.slice(0, HASH_LENGTH)}${extension}`;
  const imports = references.filter((it) => it.isImport).map((it) => it.path);
  files.set(path, { name, content, digest, names: references.map((it) => it.path), imports });
}

/**
 * A file that the build itself writes.
 * @param {string} name
 * @param {string} text
 * @returns {SiteFile}
 */
function fileOf(name, text) {
  const content = Buffer.from(text);
  return { name, content, digest: createHash("sha256").update(content).digest("hex"), names: [], imports: [] };
}

/**
 * Folders (of models, of the docs) are addresses of their own.
 * @param {string} path
 */
function isFile(path) {
  if (!path.endsWith("/") && path !== ".") return true;
  const index = join(ROOT, path, path.startsWith(MODELS) ? "semcot.json" : "index.html");
  if (!existsSync(index)) throw new Trouble(`A page names ${path}, which is not there.`);
  return false;
}

/**
 * The answering page with what only the built site has: its service worker, and its modules fetched at
 * once rather than one after the other names them.
 * @param {string} html
 * @param {Map<string, SiteFile>} files
 * @param {string[]} named
 */
function pageOfSite(html, files, named) {
  const main = '<main id="main"';
  const script = "<script type=\"module\"";
  if (!html.includes(main) || !html.includes(script)) throw new Trouble(`${PAGE} has no ${main} or ${script} to build on.`);
  const modules = new Set(named.filter((path) => path.endsWith(".js")));
  for (const path of modules) for (const imported of files.get(path)?.imports ?? []) modules.add(imported);
  const preloads = [...modules].map((path) => `<link rel="modulepreload" href="${files.get(path)?.name}">\n  `);
  return html.replace(main, `${main} data-service-worker="${SERVICE_WORKER}"`).replace(script, `${preloads.join("")}${script}`);
}

/**
 * What the answering page takes: all that it names and its modules name, but for other pages.
 * @param {Map<string, SiteFile>} files
 */
function reached(files) {
  const paths = new Set([PAGE]);
  for (const path of paths) {
    const named = files.get(path)?.names ?? [];
    for (const it of named) if (!LASTING.includes(posix.extname(it)) && !it.startsWith(ON_DEMAND)) paths.add(it);
  }
  return paths;
}

/**
 * The service worker, told what this build consists of.
 * @param {Map<string, SiteFile>} files
 * @param {Read} read
 */
function serviceWorker(files, read) {
  const isWanted = (/** @type {string} */ path) => !KEPT_WHEN_USED.includes(posix.extname(path)) && !path.startsWith(ON_DEMAND);
  const wanted = [...files].filter(([path]) => isWanted(path));
  const kept = Object.fromEntries(wanted.map(([, { name, digest }]) => [name, digest]));
  for (const path of manifestsIn(MODELS)) kept[path] = createHash("sha256").update(read(path)).digest("hex");
  const source = read(`www/${SERVICE_WORKER}`).toString();
  const version = createHash("sha256").update(JSON.stringify(kept)).update(source).digest("hex").slice(0, HASH_LENGTH);
  return `globalThis.SEMCOT_BUILD = ${JSON.stringify({ version, files: kept })};\n${source}`;
}

/** @returns {string[]} */
function docsPages() {
  return readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".html")).sort().map((name) => `docs/${name}`);
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function manifestsIn(folder) {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => posix.basename(name) === "semcot.json").map((name) => `${folder}/${name}`);
}

/**
 * @param {string} from
 * @param {string} to
 */
function relativeUrl(from, to) {
  const relative = posix.relative(posix.dirname(from), to);
  return relative.startsWith(".") || !from.endsWith(".js") ? relative : `./${relative}`;
}
