// @ts-check
// What a visitor does to bring a model of their own, and with those that are kept.

import { find } from "../dom.js";
import { SemCoTError } from "../errors.js";
import { SemCoT } from "../semcot.js";
import { listModels, readAddress } from "./address.js";
import { droppedFiles } from "./given.js";

/** @typedef {import("../state.js").State} State */

/**
 * @typedef {object} Page
 * @property {State} state
 * @property {(change?: Partial<State>) => void} update
 * @property {(model: string | File[]) => Promise<void>} load
 * @property {() => void} stopLoading
 */

const panel = find("#own", HTMLElement);
const form = find("#own-form", HTMLFormElement);
const address = find("#own-address", HTMLInputElement);
const choice = find("#own-choice", HTMLSelectElement);
const keptDetails = find("#kept", HTMLDetailsElement);
const keptRows = find("#kept-rows", HTMLElement);
const trouble = find("#trouble", HTMLElement);

/** @param {Page} page */
export function listenToOwn({ state, update, load, stopLoading }) {
  const hub = () => find("#main", HTMLElement).dataset.hub ?? "";
  /** Stops asking the hub. */
  let asking = new AbortController();

  /**
   * Does something and shows what went wrong.
   * @param {() => Promise<void> | void} work
   */
  async function shown(work) {
    try {
      await work();
    } catch (caught) {
      const error = SemCoTError.from(caught);
      if (error.code !== "aborted") update({ trouble: error });
    }
    if (state.trouble !== null) trouble.focus();
  }

  /** @param {string | File[]} model */
  async function bring(model) {
    update({ repository: null });
    find("#main", HTMLElement).scrollIntoView();
    await shown(() => load(model));
    await refreshKept();
  }

  /** Looks up what is kept, where somebody looks at it. */
  async function refreshKept() {
    if (!keptDetails.open) return;
    await shown(async () => {
      const [models, estimate] = await Promise.all([SemCoT.cache.list(), SemCoT.cache.estimate()]);
      update({ kept: { models, estimate } });
    });
  }

  async function askHub() {
    const { repository } = state;
    if (repository === null) return;
    asking = new AbortController();
    update({ repository: { ...repository, asking: true }, trouble: null });
    try {
      const offers = await listModels(repository.id, hub(), asking.signal);
      if (offers.length === 1) return bring(offers[0].url);
      update({ repository: { ...repository, asking: false, offers } });
      choice.focus();
    } catch (error) {
      update({ repository: null });
      await shown(() => Promise.reject(error));
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    shown(() => {
      update({ trouble: null });
      const read = readAddress(address.value, hub());
      if (read.kind === "url") return bring(read.url);
      update({ repository: { id: read.id, host: new URL(hub()).host, asking: false, offers: null } });
      find("#own-consent", HTMLButtonElement).focus();
    });
  });
  find("#own-consent", HTMLButtonElement).addEventListener("click", askHub);
  find("#own-load-choice", HTMLButtonElement).addEventListener("click", () => bring(choice.value));
  find("#own-refuse", HTMLButtonElement).addEventListener("click", () => {
    asking.abort();
    update({ repository: null });
    address.focus();
  });
  const larger = find("#own-larger", HTMLButtonElement);
  larger.addEventListener("click", () => bring(larger.dataset.model ?? ""));
  find("#own-stop", HTMLButtonElement).addEventListener("click", stopLoading);
  for (const name of ["#own-files", "#own-folder"]) {
    const input = find(name, HTMLInputElement);
    input.addEventListener("change", () => {
      if (input.files?.length) bring([...input.files]);
    });
  }
  panel.addEventListener("dragover", (event) => event.preventDefault());
  panel.addEventListener("drop", (event) => {
    event.preventDefault();
    const transfer = event.dataTransfer;
    if (transfer) shown(async () => bring(await droppedFiles(transfer)));
  });

  keptDetails.addEventListener("toggle", refreshKept);
  keptRows.addEventListener("click", (event) => {
    const url = event.target instanceof HTMLButtonElement ? event.target.dataset.url : undefined;
    if (url !== undefined) shown(async () => void (await SemCoT.cache.delete(url))).then(refreshKept);
  });
  find("#kept-clear", HTMLButtonElement).addEventListener("click", () => shown(() => SemCoT.cache.clear()).then(refreshKept));
  find("#kept-persist", HTMLButtonElement).addEventListener("click", () => shown(async () => {
    update({ persistRefused: !(await SemCoT.cache.persist()) });
    await refreshKept();
  }));
}
