// Answers a list of word problems one after the other, and gives the answers as a CSV.

import { SemCoT, SemCoTError, type Progress } from "semcot";
import workerUrl from "semcot/worker.js?worker&url";
import wasmUrl from "semcot/semcot.wasm?url";

function find<T extends Element>(selector: string): T {
  const element = document.querySelector<T>(selector);
  if (element === null) throw new Error(`index.html has no ${selector}`);
  return element;
}

const problems = find<HTMLTextAreaElement>("#problems");
const answerButton = find<HTMLButtonElement>("#answer");
const stopButton = find<HTMLButtonElement>("#stop");
const save = find<HTMLAnchorElement>("#save");
const status = find<HTMLElement>("#status");
const table = find<HTMLTableElement>("table");
const body = find<HTMLTableSectionElement>("tbody");

let loading: Promise<SemCoT> | null = null;
let current = new AbortController();

/** The engine, loaded at the first use; a load that failed is tried again. */
function engine(): Promise<SemCoT> {
  loading ??= SemCoT.load("models/mini/", { onProgress: showProgress, workerUrl, wasmUrl }).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

function showProgress({ phase, loadedBytes, totalBytes }: Progress) {
  const share = totalBytes > 0 ? ` ${Math.round((100 * loadedBytes) / totalBytes)} %` : "";
  status.textContent = phase === "ready" ? "" : `${phase}${share}`;
}

async function answerAll(questions: string[], signal: AbortSignal) {
  const loaded = await engine();
  const rows = [["problem", "answer", "milliseconds"]];
  for (const [index, question] of questions.entries()) {
    status.textContent = `Problem ${index + 1} of ${questions.length}`;
    const { answer, ms } = await loaded.ask(question, { signal });
    rows.push([question, answer, ms.total.toFixed(1)]);
    const row = body.insertRow();
    for (const text of [question, answer || "–", `${ms.total.toFixed(0)} ms`]) row.insertCell().textContent = text;
  }
  save.href = URL.createObjectURL(new Blob([rows.map((row) => row.map(quoted).join(",")).join("\r\n")], { type: "text/csv" }));
  save.hidden = false;
  status.textContent = `${questions.length} answered.`;
}

function quoted(field: string): string {
  return `"${field.replaceAll('"', '""')}"`;
}

find<HTMLFormElement>("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const questions = problems.value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (questions.length === 0) return;
  current = new AbortController();
  [answerButton.disabled, stopButton.disabled, save.hidden, table.hidden] = [true, false, true, false];
  body.replaceChildren();
  try {
    await answerAll(questions, current.signal);
  } catch (error) {
    if (!(error instanceof SemCoTError)) throw error;
    status.textContent = error.code === "aborted" ? "Stopped." : error.message;
  } finally {
    [answerButton.disabled, stopButton.disabled] = [false, true];
  }
});
stopButton.addEventListener("click", () => current.abort());
