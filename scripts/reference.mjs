// The reference part of docs/api.html, written from the JSDoc of www/semcot.js by TypeScript's own reading
// of it. `docs.mjs` puts it in its place.

import { join } from "node:path";
import ts from "typescript";
import { ROOT, Trouble } from "./commands.mjs";

const INTERFACE = join(ROOT, "www", "semcot.js");
/** Types that the exports are made of and that people meet. */
const BESIDE = { "www/errors.js": ["ErrorCode"], "www/device.js": ["DeviceFacts"], "www/kept.js": ["KeptModel", "KeptEstimate"], "www/sources.js": ["Storage"] };
const [BEGIN, END] = ["<!-- reference -->", "<!-- end of the reference -->"];
const FORMAT = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope;

/**
 * A page's text with the reference as the interface is now.
 * @param {string} page
 */
export function withReference(page) {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Trouble(`docs/api.html has no ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n${reference()}\n${page.slice(end)}`;
}

/**
 * What www/semcot.js exports: classes and values, then types, as TypeScript sees them.
 * @returns {{ checker: ts.TypeChecker, exports: ts.Symbol[] }}
 */
export function readInterface() {
  const { config } = ts.readConfigFile(join(ROOT, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
  const program = ts.createProgram([INTERFACE], options);
  const checker = program.getTypeChecker();
  const exportsOf = (/** @type {string} */ file) => {
    const source = program.getSourceFile(file);
    const symbol = source && checker.getSymbolAtLocation(source);
    if (!symbol) throw new Trouble(`${file} exports nothing.`);
    return checker.getExportsOfModule(symbol);
  };
  const beside = Object.entries(BESIDE).flatMap(([file, names]) => {
    const found = exportsOf(join(ROOT, file)).filter((it) => names.includes(it.name));
    if (found.length < names.length) throw new Trouble(`${file} no longer has all of ${names.join(", ")}.`);
    return found;
  });
  const own = exportsOf(INTERFACE);
  const exports = [...own, ...beside.filter((it) => !own.some((other) => other.name === it.name))];
  const isType = (/** @type {ts.Symbol} */ it) => (resolved(checker, it).flags & ts.SymbolFlags.Value) === 0;
  return { checker, exports: [...exports.filter((it) => !isType(it)), ...exports.filter(isType)] };
}

/** @returns {string} */
function reference() {
  const { checker, exports } = readInterface();
  const names = exports.map((it) => it.name);
  const link = (/** @type {string} */ type) =>
    escape(type).replace(/\b[A-Z]\w+\b(?!\.)/g, (name) => (names.includes(name) ? `<a href="#${name}">${name}</a>` : name));
  return exports.map((it) => entryOf(checker, it, link)).join("\n");
}

/** @typedef {(type: string) => string} Link turns a type's text into HTML in which known names are links */

/**
 * @param {ts.TypeChecker} checker
 * @param {ts.Symbol} exported
 * @param {Link} link
 */
function entryOf(checker, exported, link) {
  const symbol = resolved(checker, exported);
  const type = symbol.flags & ts.SymbolFlags.Value && !(symbol.flags & ts.SymbolFlags.Class)
    ? checker.getTypeOfSymbol(symbol)
    : checker.getDeclaredTypeOfSymbol(symbol);
  const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
  const kind = isClass ? "class " : symbol.flags & ts.SymbolFlags.Value ? "const " : "type ";
  const statics = isClass ? ownMembers(checker.getTypeOfSymbol(symbol), symbol).filter((it) => it.name !== "prototype") : [];
  const members = membersOf(checker, type, symbol);
  const alone = members.length === 0 ? `\n<p class="type"><code>${link(checker.typeToString(type, undefined, FORMAT | ts.TypeFormatFlags.InTypeAlias))}</code></p>` : "";
  const lines = [
    ...statics.map((it) => memberOf(checker, it, `${exported.name}.`, link)),
    ...members.map((it) => memberOf(checker, it, isClass ? `${lowered(exported.name)}.` : "", link, exported.name)),
  ];
  const list = lines.length > 0 ? `\n<dl>\n${lines.join("\n")}\n</dl>` : "";
  return `<section id="${exported.name}">\n<h3><span>${kind}</span>${exported.name}</h3>${paragraphs(checker, symbol)}${alone}${list}\n</section>`;
}

/**
 * @param {ts.TypeChecker} checker
 * @param {ts.Type} type
 * @param {ts.Symbol} symbol
 */
function membersOf(checker, type, symbol) {
  // Of unions and lists the type itself says all.
  if (type.isUnion() || checker.isArrayLikeType(type) || type.flags & ts.TypeFlags.StringLike) return [];
  return symbol.flags & ts.SymbolFlags.Class ? ownMembers(type, symbol) : checker.getPropertiesOfType(type);
}

/**
 * Public members that a class has of its own.
 * @param {ts.Type} type
 * @param {ts.Symbol} symbol
 */
function ownMembers(type, symbol) {
  const file = symbol.valueDeclaration?.getSourceFile();
  return type.getProperties().filter((it) => {
    const declaration = it.declarations?.[0];
    const isPrivate = declaration !== undefined && "name" in declaration && ts.isPrivateIdentifier(/** @type {ts.Node} */ (declaration.name));
    return !isPrivate && declaration?.getSourceFile() === file;
  });
}

/**
 * A property or method. The members of a value that is an object of functions are told one by one.
 * @param {ts.TypeChecker} checker
 * @param {ts.Symbol} member
 * @param {string} prefix of its name
 * @param {Link} link
 * @param {string} [owner] of its anchor; as the prefix unless told
 * @returns {string}
 */
function memberOf(checker, member, prefix, link, owner = prefix.slice(0, -1)) {
  const type = checker.getTypeOfSymbol(member);
  const name = member.name.startsWith("__@") ? `[Symbol.${member.name.slice(3).replace(/@\d+$/, "")}]` : member.name;
  const shown = name.startsWith("[") ? `${prefix.slice(0, -1)}${name}` : prefix + name;
  const id = `${owner}.${name}`.replace(/[[\]]/g, "");
  const inner = type.getProperties().filter((it) => checker.getTypeOfSymbol(it).getCallSignatures().length > 0 && it.declarations?.[0]?.getSourceFile().fileName.startsWith(join(ROOT, "www")));
  const isNamespace = type.getCallSignatures().length === 0 && inner.length > 0 && inner.length === type.getProperties().length;
  if (isNamespace) {
    const head = `<dt id="${id}"><code>${shown}</code></dt>\n<dd>${paragraphs(checker, member)}</dd>`;
    return [head, ...inner.map((it) => memberOf(checker, it, `${shown}.`, link, id))].join("\n");
  }
  const optional = member.flags & ts.SymbolFlags.Optional ? "?" : "";
  const [signature] = type.getCallSignatures();
  const declaration = member.declarations?.[0];
  const isMethod = signature !== undefined && declaration !== undefined && ts.isMethodDeclaration(declaration);
  const text = isMethod
    ? `${shown}${checker.signatureToString(signature, undefined, FORMAT)}`
    : `${shown}${optional}: ${checker.typeToString(type, undefined, FORMAT)}`;
  // What is marked as optional need not be said to be undefined; destructured options have no name of their own.
  const plain = text.replace(/ \| undefined(?=[;,)]|$)/g, "").replace(/\{[^{}:]*\}(?=\??:)/g, "options");
  return `<dt id="${id}"><code>${link(plain)}</code></dt>\n<dd>${paragraphs(checker, member)}${isMethod ? parametersOf(member) : ""}</dd>`;
}

/**
 * What is said of parameters and of what comes back.
 * @param {ts.Symbol} member
 */
function parametersOf(member) {
  const lines = member.getJsDocTags().flatMap(({ name, text = [] }) => {
    const words = ts.displayPartsToString(text).trim();
    if (name === "returns" && words) return [`<li>gives ${prose(words)}</li>`];
    const [, parameter = "", about = ""] = name === "param" ? (words.match(/^(\S+)\s+(?:-\s+)?(.+)$/s) ?? []) : [];
    return about ? [`<li><code>${escape(parameter)}</code> ${prose(about)}</li>`] : [];
  });
  return lines.length > 0 ? `<ul>${lines.join("")}</ul>` : "";
}

/**
 * @param {ts.TypeChecker} checker
 * @param {ts.Symbol} symbol
 */
function paragraphs(checker, symbol) {
  const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
  if (text === "") return "";
  return text.split(/\n\s*\n/).map((part) => {
    const items = part.split(/^\s*- /m);
    const list = items.slice(1).map((item) => `<li>${prose(item)}</li>`).join("");
    return (items[0].trim() ? `\n<p>${prose(items[0])}</p>` : "") + (list ? `\n<ul>${list}</ul>` : "");
  }).join("");
}

/**
 * Prose of a comment as HTML: code between backticks, also in Rust's brackets.
 * @param {string} text
 */
function prose(text) {
  return escape(text.trim().replace(/\s+/g, " ")).replace(/\[?`([^`]+)`\]?/g, "<code>$1</code>");
}

/** @param {string} text */
function escape(text) {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/** @param {string} name */
function lowered(name) {
  return { SemCoT: "engine", Run: "run" }[name] ?? "error";
}

/**
 * @param {ts.TypeChecker} checker
 * @param {ts.Symbol} symbol
 */
function resolved(checker, symbol) {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}
