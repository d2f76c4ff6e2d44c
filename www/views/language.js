// @ts-check
// The texts that stand in index.html, in the language chosen. Links and figures inside a sentence are
// named places (`{card}`), because languages put them elsewhere.

import { strings } from "../strings/chosen.js";

const buttons = [...document.querySelectorAll("[data-language]")];
/** @type {string | null} */
let shown = null;

/** Puts every text of the page in its place, when the language has changed. */
export function showLanguage() {
  if (shown === strings.language) return;
  shown = strings.language;
  document.documentElement.lang = strings.language;
  for (const element of document.querySelectorAll("[data-text]")) fill(element, textOf(element, "data-text"));
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", textOf(element, "data-label"));
  for (const element of document.querySelectorAll("[data-content]")) element.setAttribute("content", textOf(element, "data-content"));
  for (const element of document.querySelectorAll("[data-hint]")) element.setAttribute("placeholder", textOf(element, "data-hint"));
  for (const button of buttons) {
    button.setAttribute("aria-pressed", String(button instanceof HTMLElement && button.dataset.language === shown));
  }
}

/**
 * @param {Element} element
 * @param {string} attribute that names the text
 * @returns {string}
 */
function textOf(element, attribute) {
  const key = element.getAttribute(attribute) ?? "";
  const text = /** @type {Record<string, string>} */ (strings.page)[key];
  if (text === undefined) throw new Error(`the ${strings.language} strings have no page.${key}`);
  return text;
}

/**
 * @param {Element} element
 * @param {string} text with its children's places
 */
function fill(element, text) {
  const parts = text.split(/\{(\w+)\}/);
  const children = parts.map((part, index) => {
    if (index % 2 === 0) return part;
    const child = element.querySelector(`[data-slot=${part}]`);
    if (child === null) throw new Error(`index.html has no data-slot=${part}`);
    return child;
  });
  element.replaceChildren(...children.filter((child) => child !== ""));
}
