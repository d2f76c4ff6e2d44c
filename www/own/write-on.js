// @ts-check
// What a single model does with the question: it goes on with it as a text.

import { find } from "../dom.js";

/** @typedef {import("../state.js").State} State */

const most = find("#single-tokens", HTMLInputElement);
const temperature = find("#single-temperature", HTMLInputElement);

/**
 * Whether what is loaded is a single model rather than a pair.
 * @param {State} state
 */
export function isSingle({ engine }) {
  return engine !== null && engine.info.implicitTokens === undefined;
}

/**
 * Control tokens that are typed count as such: whoever brings a model knows its prompts.
 * @param {import("../semcot.js").SemCoT} engine
 * @param {string} prompt
 * @param {AbortSignal} signal
 * @param {(change: Partial<State>) => void} update
 */
export async function writeOn(engine, prompt, signal, update) {
  const chosen = temperature.valueAsNumber > 0 ? { temperature: temperature.valueAsNumber, topP: 0.95 } : {};
  const run = engine.generate(prompt, { maxTokens: most.valueAsNumber || undefined, special: true, ...chosen, signal });
  let text = "";
  update({ asked: prompt, written: { text, result: null } });
  for await (const part of run) {
    text += part;
    update({ written: { text, result: null } });
  }
  const result = await run;
  update({ written: { text: result.text, result } });
}
