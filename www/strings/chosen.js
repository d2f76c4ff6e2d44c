// @ts-check
// The language that the page speaks now: `?lang=`, else what the visitor chose before, else the browser's.

import { en } from "./en.js";
import { ko } from "./ko.js";

/** @typedef {typeof en} Strings */
/** @typedef {"en" | "ko"} Language */

/** @type {Record<Language, Strings>} */
export const LANGUAGES = { en, ko };
const STORED = "semcot-language";

/** The texts of the language chosen: a live binding, so that views read it anew. @type {Strings} */
export let strings = en;

/** @returns {Language} */
export function firstLanguage() {
  const wanted = [new URLSearchParams(location.search).get("lang"), stored(), ...navigator.languages];
  const known = wanted.map((name) => name?.slice(0, 2).toLowerCase()).find((name) => name && Object.hasOwn(LANGUAGES, name));
  return /** @type {Language} */ (known ?? "en");
}

/** @param {Language} language */
export function chooseLanguage(language) {
  strings = LANGUAGES[language];
}

/** @param {Language} language */
export function rememberLanguage(language) {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null;
  }
}
