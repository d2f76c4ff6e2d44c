// @ts-check
// Finding what stands in index.html. A missing element is a defect of the page and says its name.

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @param {ParentNode} [root]
 * @returns {T}
 */
export function find(selector, type, root = document) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`index.html has no ${type.name} ${selector}`);
  return element;
}

/**
 * A copy of the one element in a template.
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function copyOf(selector, type) {
  const copy = find(selector, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  if (!(copy instanceof type)) throw new Error(`index.html has no ${type.name} in ${selector}`);
  return copy;
}

/**
 * Sets an element's text and whether it is shown; touches nothing that is so already, which keeps live
 * regions quiet.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
