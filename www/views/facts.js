// @ts-check
// What the figures were measured on: the device, the model, and how often the model is right.

import { copyOf, find, setText } from "../dom.js";
import { strings } from "../strings/chosen.js";

const facts = find("#facts", HTMLElement);
const factsEmpty = find("#facts-empty", HTMLElement);
const accuracy = find("#accuracy", HTMLElement);
const accuracyEmpty = find("#accuracy-empty", HTMLElement);
const accuracyRows = find("#accuracy-rows", HTMLElement);
const ledeCount = find("#lede-count", HTMLElement);

/** What stands on the page already: the engine, its floor, the language. @type {unknown[]} */
let shown = [];

/** @param {import("../state.js").State} state */
export function showFacts({ engine, floor }) {
  if (engine === shown[0] && strings === shown[1] && floor === shown[2]) return;
  shown = [engine, strings, floor];
  setText(ledeCount, strings.vectors(engine?.info.implicitTokens ?? null));
  if (engine === null) return;
  const { info } = engine;
  const lines = factLines(info, floor).filter(([, value]) => value !== null);
  facts.replaceChildren(...lines.map(([name, value]) => {
    const line = copyOf("#fact-template", HTMLElement);
    setText(find("dt", HTMLElement, line), name);
    setText(find("dd", HTMLElement, line), value ?? "");
    return line;
  }));
  const rows = accuracyLines(info.accuracy ?? []);
  accuracyRows.replaceChildren(...rows);
  facts.hidden = false;
  factsEmpty.hidden = true;
  accuracy.hidden = rows.length === 0;
  accuracyEmpty.hidden = rows.length > 0;
}

/**
 * @param {import("../semcot.js").Info} info
 * @param {import("../state.js").State["floor"]} floor
 * @returns {[string, string | null][]}
 */
function factLines(info, floor) {
  const words = strings.facts;
  const { adapter = {}, models = [] } = info;
  const isSingle = info.implicitTokens === undefined;
  const size = (/** @type {any} */ model) => model === undefined ? null : words.size(strings.number(model.parameters), strings.bytes(model.bytes));
  return [
    [words.adapter, adapterText(adapter, info.device)],
    [words.device, deviceText(info.device)],
    [words.kernels, info.device.kind === "cpu" ? null : kernelsText(info.kernels)],
    [words.model, info.name],
    [isSingle ? words.weights : words.target, size(models[0])],
    [words.generator, size(models[1])],
    [words.implicitTokens, isSingle ? null : strings.number(info.implicitTokens)],
    [words.tokensPerSubmit, isSingle ? strings.number(info.tokensPerSubmit) : words.tokensPerSubmitValue(info.tokensPerSubmit)],
    [words.floor, isSingle ? null : floorText(floor)],
    [words.readBack, info.readBackMs == null ? null : strings.time(info.readBackMs)],
    [words.storage, info.storage?.kind === "memory" ? words.notKept(info.storage.reason ?? "") : null],
    [words.license, info.license ?? null],
  ];
}

/**
 * The least time of a token beside the one measured; how to have it measured; nothing where that cannot be.
 * @param {import("../state.js").State["floor"]} floor
 */
function floorText(floor) {
  const words = strings.facts;
  if (floor === undefined) return words.floorUnmeasured;
  if (floor === null) return null;
  const { passBytes, gbPerS, floorMsPerToken, msPerToken } = floor;
  return words.floorMeasured(strings.bytes(passBytes), strings.rate(gbPerS), strings.shortTime(floorMsPerToken), strings.shortTime(msPerToken));
}

/**
 * @param {{ name?: string, software?: boolean }} adapter
 * @param {import("../device.js").DeviceFacts} device
 */
function adapterText({ name, software }, { kind }) {
  const words = strings.facts;
  const shown = name || words.unnamed;
  return software && kind === "gpu" ? `${shown} (${words.software})` : shown;
}

/**
 * Why the CPU computes, or a software adapter; nothing of a graphics device.
 * @param {import("../device.js").DeviceFacts} device
 */
function deviceText({ kind, reason, measuredMs }) {
  const words = strings.facts.deviceReason;
  if (reason === "no-webgpu") return isSecureContext ? words.noWebGpu : words.insecure;
  if (reason === "large") return words.large;
  if (measuredMs !== null) return words.faster[kind](strings.time(measuredMs.cpu), strings.time(measuredMs.gpu));
  return reason === "asked" && kind === "cpu" ? words.asked : null;
}

/** @param {import("../semcot.js").Info["kernels"]} kernels */
function kernelsText({ name, rejected }) {
  const words = strings.facts;
  return rejected.length ? words.kernelsRejected(name, rejected.map((it) => it.name).join(", ")) : name;
}

/** @param {{ family: string, mode: string, n: number, strict: number }[]} measured */
function accuracyLines(measured) {
  const families = [...new Set(measured.map((entry) => entry.family))];
  return families.map((family) => {
    const row = copyOf("#accuracy-template", HTMLTableRowElement);
    setText(find("th", HTMLElement, row), strings.families[family] ?? family);
    const entries = measured.filter((entry) => entry.family === family);
    for (const entry of entries) {
      const cell = row.querySelector(`[data-cell="${entry.mode}"]`);
      if (cell instanceof HTMLElement) setText(cell, strings.percent(entry.strict));
    }
    const counts = [...new Set(entries.map((entry) => strings.number(entry.n)))];
    setText(find("[data-cell=n]", HTMLElement, row), counts.join(" / "));
    return row;
  });
}
