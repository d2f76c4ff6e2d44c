// Which other files of the site a file names, and where in its text: imports and
// `new URL("…", import.meta.url)` of modules, `href` and `src` of pages. Read from the syntax tree, so
// that what stands in a comment or a string is not taken for an import.

import { posix } from "node:path";
import ts from "typescript";
import { Trouble } from "./commands.mjs";

/**
 * A relative URL in a file's text.
 * @typedef {object} Reference
 * @property {number} start of the URL in the text
 * @property {number} end
 * @property {string} path of the file named, from the project's folder; a folder ends in `/`
 * @property {string} suffix query and fragment
 * @property {boolean} isImport whether a module cannot begin without it
 */

/**
 * @param {string} path of the file, from the project's folder
 * @param {string} text
 * @returns {Reference[]} in the order of the text; URLs of other sites are left out
 */
export function referencesIn(path, text) {
  switch (posix.extname(path)) {
    case ".js":
      return inModule(path, text);
    case ".html":
      return inPage(path, text);
    case ".css":
      // A stylesheet that names files would need its names followed, too.
      if (/url\(|@import/.test(text)) throw new Trouble(`${path} names other files, which the build does not follow.`);
      return [];
    default:
      return [];
  }
}

/**
 * @param {string} path
 * @param {string} text
 */
function inModule(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.JS);
  /** @type {Reference[]} */
  const found = [];
  const take = (/** @type {ts.Node | undefined} */ node, /** @type {boolean} */ isImport) => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return;
    const reference = referenceTo(path, node.text, node.getStart(source) + 1, isImport);
    if (reference) found.push(reference);
  };
  const visit = (/** @type {ts.Node} */ node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) take(node.moduleSpecifier, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) take(node.arguments[0], false);
    else if (ts.isNewExpression(node) && node.expression.getText(source) === "URL" && node.arguments?.[1]?.getText(source) === "import.meta.url") {
      take(node.arguments[0], false);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/**
 * @param {string} path
 * @param {string} text
 */
function inPage(path, text) {
  /** @type {Reference[]} */
  const found = [];
  for (const match of text.matchAll(/<(?:a|link|script|img|semcot-demo)\b[^>]*?\s(?:href|src)="([^"]*)"/g)) {
    const start = match.index + match[0].length - match[1].length - 1;
    const reference = referenceTo(path, match[1], start, false);
    if (reference) found.push(reference);
  }
  return found;
}

/**
 * @param {string} from
 * @param {string} url
 * @param {number} start
 * @param {boolean} isImport
 * @returns {Reference | null}
 */
function referenceTo(from, url, start, isImport) {
  if (/^([a-z][a-z+.-]*:|\/\/|#|$)/i.test(url)) return null;
  if (url.startsWith("/")) throw new Trouble(`${from} names ${url}: the site must work from any folder, so that its addresses are relative.`);
  const [, name, suffix] = /** @type {RegExpMatchArray} */ (url.match(/^([^?#]*)(.*)$/s));
  return { start, end: start + url.length, path: posix.join(posix.dirname(from), name), suffix, isImport };
}
