// @ts-check
// A game: who knows the answer, the reader or the model? No build step; the import map in index.html says
// where the package lies.

import { SemCoT, SemCoTError } from "semcot";

const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector));
const [problemText, status] = [find("#problem"), find("#status")];
const own = /** @type {HTMLInputElement} */ (find("#own"));
const [answerButton, nextButton] = /** @type {HTMLButtonElement[]} */ ([find("#answer"), find("#next")]);
const score = { own: 0, machine: 0, rounds: 0 };

/** Which problem is shown: the same number gives the same problem everywhere. */
let seed = Number(new URLSearchParams(location.search).get("seed") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
/** @type {SemCoT} */
let engine;
/** @type {import("semcot").Problem} */
let problem;

async function nextProblem() {
  [problem] = await engine.problems({ family: "arithmetic", seed: seed++ % 2 ** 32 });
  problemText.textContent = problem.query;
  status.textContent = "";
  own.value = "";
  enable(own, answerButton);
  own.focus();
}

async function answer() {
  enable();
  const { answer, ms } = await engine.ask(problem.query);
  score.rounds++;
  if (own.value.trim() === problem.answer) score.own++;
  if (answer === problem.answer) score.machine++;
  status.textContent = `It is ${problem.answer}. You said ${own.value.trim()}; the machine said ${answer} after ${ms.total.toFixed(0)} ms.`;
  find("#own-score").textContent = String(score.own);
  find("#machine-score").textContent = String(score.machine);
  find("#rounds").textContent = String(score.rounds);
  enable(nextButton);
  nextButton.focus();
}

/**
 * What can be used now; all else cannot.
 * @param {(HTMLInputElement | HTMLButtonElement)[]} controls
 */
function enable(...controls) {
  for (const control of [own, answerButton, nextButton]) control.disabled = !controls.includes(control);
}

/** @param {unknown} error */
function explain(error) {
  if (!(error instanceof SemCoTError)) throw error;
  status.textContent = error.message;
  if (engine !== undefined) enable(nextButton);
}

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  answer().catch(explain);
});
nextButton.addEventListener("click", () => nextProblem().catch(explain));

try {
  const onProgress = (/** @type {import("semcot").Progress} */ { phase }) => (status.textContent = phase === "ready" ? "" : `Loading: ${phase}…`);
  engine = await SemCoT.load("node_modules/semcot/models/mini/", { onProgress });
  await nextProblem();
} catch (error) {
  problemText.textContent = "The model could not be loaded.";
  explain(error);
}
