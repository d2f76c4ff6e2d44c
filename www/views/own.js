// @ts-check
// A model of one's own: what the hub would be asked, what it offers, and the models that are kept.

import { copyOf, find, setText } from "../dom.js";
import { strings } from "../strings/chosen.js";

/** @typedef {import("../state.js").State} State */

const stop = find("#own-stop", HTMLButtonElement);
const load = find("#own-load", HTMLButtonElement);
const repositoryPanel = find("#own-repository", HTMLElement);
const repositoryText = find("#own-repository-text", HTMLElement);
const consent = find("#own-consent", HTMLButtonElement);
const choiceField = find("#own-choice-field", HTMLElement);
const choice = find("#own-choice", HTMLSelectElement);
const loadChoice = find("#own-load-choice", HTMLButtonElement);
const rows = find("#kept-rows", HTMLElement);
const table = find("#kept-table", HTMLElement);
const estimateText = find("#kept-estimate", HTMLElement);
const clear = find("#kept-clear", HTMLButtonElement);
const persist = find("#kept-persist", HTMLButtonElement);

/** What the lists on the page were made of: they change only with these. @type {unknown[]} */
let shown = [];

/** @param {State} state */
export function showOwn(state) {
  const loading = state.engine === null && state.trouble === null;
  stop.hidden = !loading;
  load.disabled = loading || state.busy !== null;
  showRepository(state);
  showKept(state);
}

/** @param {State} state */
function showRepository({ repository }) {
  repositoryPanel.hidden = repository === null;
  if (repository === null) return;
  const { id, host, asking, offers } = repository;
  const words = strings.own;
  setText(repositoryText, offers ? words.offers(id) : asking ? words.asking(host) : words.consent(host, id));
  setText(consent, words.ask(host));
  consent.hidden = offers !== null;
  consent.disabled = asking;
  choiceField.hidden = loadChoice.hidden = offers === null;
  if (shown[0] === offers) return;
  shown[0] = offers;
  choice.replaceChildren(...(offers ?? []).map(({ path, url }) => {
    const option = copyOf("#option-template", HTMLOptionElement);
    option.value = url;
    option.textContent = path || words.wholeRepository;
    return option;
  }));
}

/** @param {State} state */
function showKept({ kept, persistRefused }) {
  if (kept === null) return;
  const words = strings.own;
  const { models, estimate } = kept;
  const { modelBytes, quotaBytes, persisted } = estimate;
  const room = quotaBytes > 0 ? words.estimate(strings.bytes(modelBytes), strings.bytes(quotaBytes)) : words.estimateUnknown(strings.bytes(modelBytes));
  setText(estimateText, [room, persisted ? words.persisted : persistRefused ? words.persistRefused : words.notPersisted].join(" "));
  persist.disabled = persisted;
  clear.disabled = models.length === 0;
  table.hidden = models.length === 0;
  if (shown[1] === models && shown[2] === strings) return;
  shown = [shown[0], models, strings];
  rows.replaceChildren(...models.map((model) => {
    const row = copyOf("#kept-template", HTMLTableRowElement);
    const cell = (/** @type {string} */ name) => find(`[data-cell=${name}]`, HTMLElement, row);
    setText(find("th", HTMLElement, row), shortened(model.url));
    setText(cell("size"), strings.bytes(model.bytes));
    setText(cell("stored"), model.complete ? words.complete : words.part(strings.percent(model.storedBytes / (model.bytes || 1))));
    setText(cell("used"), strings.date(model.usedAt));
    const button = find("button", HTMLButtonElement, row);
    button.dataset.url = model.url;
    setText(button, words.remove);
    button.setAttribute("aria-label", words.removeNamed(shortened(model.url)));
    return row;
  }));
}

/**
 * An address as short as it stays clear: of this site without it.
 * @param {string} url
 */
function shortened(url) {
  const site = new URL(".", document.baseURI).href;
  return decodeURI(url.startsWith(site) ? url.slice(site.length) : url.replace(/^https?:\/\//, ""));
}
