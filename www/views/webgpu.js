// @ts-check
// How to turn WebGPU on: in place of what cannot run without it, or folded below the facts where the CPU
// stands in for a graphics device.

import { find } from "../dom.js";

const ways = find("#webgpu-ways", HTMLUListElement);
const inTrouble = find("#trouble-webgpu", HTMLElement);
const inFacts = find("#facts-webgpu", HTMLElement);
const folded = find("#webgpu", HTMLDetailsElement);
const own = browserName();
for (const item of ways.children) if (item instanceof HTMLElement) item.toggleAttribute("data-own", item.dataset.browser === own);

/** @param {import("../state.js").State} state */
export function showWebGpu({ engine, trouble }) {
  const place = trouble?.code === "no-webgpu" ? inTrouble : inFacts;
  if (ways.parentElement !== place) place.append(ways);
  folded.hidden = engine === null || !wantsGpu(engine.info);
}

/**
 * Whether the CPU computes, in one way or the other, though nobody asked for it.
 * @param {import("../semcot.js").Info} info
 */
function wantsGpu({ device: { kind, reason }, adapter }) {
  return kind === "cpu" ? reason !== "asked" : adapter.software;
}

/** Which of the ways to turn WebGPU on is the visitor's. Only the emphasis depends on it. */
function browserName() {
  const { userAgent } = navigator;
  if (/iPhone|iPad/.test(userAgent)) return "safari";
  if (/Firefox/.test(userAgent)) return "firefox";
  return /Chrome|Chromium|Edg/.test(userAgent) ? "chrome" : "safari";
}
