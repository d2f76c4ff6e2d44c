// @ts-check
// Questions that a visitor brings: JSON (a list, or an object a line) or CSV with a heading line. What
// cannot be used is refused with the place where it stands.

/** Most questions of a batch, and most characters of what is pasted or dropped. */
export const MAX_QUESTIONS = 10_000;
export const MAX_CHARACTERS = 5_000_000;

const QUESTION_NAMES = ["question", "query", "problem"];
const ANSWER_NAMES = ["answer", "truth", "label"];

/** @typedef {{ question: string, answer: string }} Question */

/**
 * Why questions were refused: `reason` is a key of the texts, `at` the entry or line that it is about.
 * @typedef {"empty" | "tooLarge" | "tooMany" | "notJson" | "notList" | "noColumns" | "noQuestion" | "noAnswer" | "openQuote"} Reason
 */
export class QuestionsError extends Error {
  /**
   * @param {Reason} reason
   * @param {string | number} [at]
   */
  constructor(reason, at = "") {
    super(`${reason} ${at}`.trim());
    this.reason = reason;
    this.at = at;
  }
}

/**
 * @param {string} text
 * @returns {Question[]}
 */
export function readQuestions(text) {
  if (text.length > MAX_CHARACTERS) throw new QuestionsError("tooLarge", MAX_CHARACTERS);
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  if (trimmed === "") throw new QuestionsError("empty");
  const entries = /^[[{]/.test(trimmed) ? fromJson(trimmed) : fromCsv(trimmed);
  if (entries.length === 0) throw new QuestionsError("empty");
  if (entries.length > MAX_QUESTIONS) throw new QuestionsError("tooMany", MAX_QUESTIONS);
  return entries.map((entry, index) => {
    const question = field(entry, QUESTION_NAMES);
    const answer = field(entry, ANSWER_NAMES);
    if (!question) throw new QuestionsError("noQuestion", index + 1);
    if (!answer) throw new QuestionsError("noAnswer", index + 1);
    return { question, answer };
  });
}

/**
 * @param {string} text
 * @returns {unknown[]}
 */
function fromJson(text) {
  const read = (/** @type {string} */ part, /** @type {string | number} */ at) => {
    try {
      return JSON.parse(part);
    } catch (error) {
      throw new QuestionsError("notJson", at || (error instanceof Error ? error.message : ""));
    }
  };
  if (text.startsWith("{")) {
    const lines = text.split(/\r?\n/).map((line, index) => ({ line, number: index + 1 })).filter(({ line }) => line.trim() !== "");
    if (lines.length > 1 && lines[0].line.trim().endsWith("}")) return lines.map(({ line, number }) => read(line, number));
  }
  const value = read(text, "");
  const list = Array.isArray(value) ? value : value?.questions ?? value?.problems;
  if (!Array.isArray(list)) throw new QuestionsError("notList");
  return list;
}

/**
 * @param {string} text
 * @returns {Record<string, string>[]}
 */
function fromCsv(text) {
  const heading = text.split(/\r?\n/, 1)[0];
  const separator = [",", "\t", ";"].find((candidate) => heading.includes(candidate)) ?? ",";
  const [names, ...rows] = cells(text, separator);
  const keys = names.map((name) => name.trim().toLowerCase());
  const has = (/** @type {string[]} */ wanted) => keys.some((key) => wanted.includes(key));
  if (!has(QUESTION_NAMES) || !has(ANSWER_NAMES)) throw new QuestionsError("noColumns");
  return rows.filter((row) => row.some((cell) => cell.trim() !== "")).map((row) => Object.fromEntries(keys.map((key, index) => [key, row[index] ?? ""])));
}

/**
 * @param {string} text
 * @param {string} separator
 * @returns {string[][]}
 */
function cells(text, separator) {
  const rows = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    const row = rows[rows.length - 1];
    if (quoted && character === '"' && text[at + 1] === '"') row[row.length - 1] += text[++at];
    else if (character === '"' && (quoted || row[row.length - 1] === "")) quoted = !quoted;
    else if (!quoted && character === separator) row.push("");
    else if (!quoted && character === "\n") rows.push([""]);
    else if (quoted || character !== "\r") row[row.length - 1] += character;
  }
  if (quoted) throw new QuestionsError("openQuote", rows.length);
  return rows;
}

/**
 * @param {unknown} entry
 * @param {string[]} names
 * @returns {string} empty where there is none
 */
function field(entry, names) {
  if (typeof entry !== "object" || entry === null) return "";
  for (const name of names) {
    const value = Object.hasOwn(entry, name) ? /** @type {Record<string, unknown>} */ (entry)[name] : undefined;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value).trim();
  }
  return "";
}
