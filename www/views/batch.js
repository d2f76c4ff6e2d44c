// @ts-check
// The batch panel: what can be pressed, how far it is, and what came out, as a chart and a table.

import { summaryOf } from "../batch/batch.js";
import { copyOf, find, setText } from "../dom.js";
import { strings } from "../strings/chosen.js";
import { familiesOf } from "./question.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {NonNullable<ReturnType<typeof summaryOf>>} Summary */

const SVG = "http://www.w3.org/2000/svg";
/** The chart's size in its own units, and the room around the plot for its labels. */
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [640, 250, 52, 16, 14, 30];

const start = find("#batch-start", HTMLButtonElement);
const pause = find("#batch-pause", HTMLButtonElement);
const cancel = find("#batch-cancel", HTMLButtonElement);
const family = find("#batch-family", HTMLSelectElement);
const bar = find("#batch-bar", HTMLProgressElement);
const status = find("#batch-status", HTMLElement);
const problem = find("#batch-problem", HTMLElement);
const result = find("#batch-result", HTMLElement);
const chart = find("#batch-chart", SVGSVGElement);
const axes = find("#batch-axes", HTMLElement);
const rows = find("#batch-rows", HTMLTableSectionElement);
const note = find("#batch-note", HTMLElement);
const link = find("#batch-link-note", HTMLElement);

/** What the result shows already: it is drawn anew only when rows or language have changed. @type {unknown[]} */
let drawn = [];

/** @param {State} state */
export function showBatch(state) {
  const { engine, busy, batch, batchProblem } = state;
  const running = busy === "batch";
  start.disabled = engine === null || busy !== null;
  pause.hidden = cancel.hidden = !running;
  setText(pause, batch?.pausedAt == null ? strings.batch.pause : strings.batch.resume);
  showFamilies(engine === null ? [] : familiesOf(engine.info));
  setText(problem, batchProblem);
  problem.hidden = batchProblem === "";
  bar.hidden = !running;
  // Told when it ends or rests, not at every run.
  status.setAttribute("aria-live", running && batch?.pausedAt == null ? "off" : "polite");
  setText(status, batch === null ? "" : statusText(batch, running));
  if (batch === null) return;
  bar.value = batch.rows.length / batch.total;
  setText(link, batch.copied);
  const summaries = batch.setup.modes.map((mode) => summaryOf(batch.rows, mode)).filter((it) => it !== null);
  result.hidden = summaries.length === 0;
  if (result.hidden || (drawn[0] === batch && drawn[1] === batch.rows.length && drawn[2] === strings)) return;
  drawn = [batch, batch.rows.length, strings];
  const refused = Math.max(...summaries.map((it) => it.refused));
  setText(note, strings.batch.note + (refused > 0 ? ` ${strings.batch.refusedQuestions(refused)}` : ""));
  rows.replaceChildren(...summaries.map(tableRow));
  draw(summaries);
}

/**
 * @param {import("../state.js").Batch} batch
 * @param {boolean} running
 */
function statusText({ rows, total, startedAt, pausedAt, pausedMs }, running) {
  const done = rows.length;
  if (!running) return done === total ? strings.batch.finished(strings.number(done)) : strings.batch.cancelled(strings.number(done), strings.number(total));
  if (pausedAt !== null) return strings.batch.paused(strings.number(done), strings.number(total));
  if (done === 0) return strings.batch.warmUp;
  const left = ((performance.now() - startedAt - pausedMs) / done) * (total - done);
  return strings.batch.progress(strings.number(done), strings.number(total), strings.duration(left));
}

/** @param {string[]} families */
function showFamilies(families) {
  const texts = families.map((name) => strings.families[name] ?? name);
  if (families.length === 0 || [...family.options].map((it) => it.textContent).join() === texts.join()) return;
  const value = family.value || family.dataset.wanted || "";
  family.replaceChildren(...families.map((name, index) => {
    const option = copyOf("#option-template", HTMLOptionElement);
    option.value = name;
    option.textContent = texts[index];
    return option;
  }));
  if (families.includes(value)) family.value = value;
}

/** @param {Summary} summary */
function tableRow({ mode, n, right, accuracy, ms, tokens, targetPasses }) {
  const row = copyOf("#batch-template", HTMLTableRowElement);
  setText(find("th", HTMLElement, row), strings.lanes[mode]);
  const cells = {
    accuracy: strings.percent(accuracy.share),
    interval: strings.timing.range(strings.percent(accuracy.low), strings.percent(accuracy.high)),
    right: `${strings.number(right)} / ${strings.number(n)}`,
    median: strings.time(ms.median),
    quartiles: strings.timing.range(strings.time(ms.low), strings.time(ms.high)),
    tokens: strings.number(tokens),
    passes: strings.number(targetPasses),
  };
  for (const [name, text] of Object.entries(cells)) setText(find(`[data-cell=${name}]`, HTMLElement, row), text);
  return row;
}

/**
 * Accuracy against time, with intervals: up is right, left is soon.
 * @param {Summary[]} summaries
 */
function draw(summaries) {
  const longest = Math.max(...summaries.map((it) => it.ms.high)) * 1.15 || 1;
  const x = (/** @type {number} */ ms) => LEFT + (ms / longest) * (WIDTH - LEFT - RIGHT);
  const y = (/** @type {number} */ share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM);
  const parts = [];
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(shape("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(share), y2: y(share) }));
    parts.push(shape("text", { class: "tick", x: LEFT - 6, y: y(share) + 4, "text-anchor": "end" }, `${share * 100}`));
  }
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(shape("text", { class: "tick", x: x(part * longest), y: HEIGHT - 6, "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle" }, strings.time(part * longest)));
  }
  setText(axes, strings.batch.axes);
  for (const { mode, accuracy, ms } of summaries) {
    const [middle, share] = [x(ms.median), y(accuracy.share)];
    const group = shape("g", { "data-mode": mode });
    group.append(
      shape("line", { x1: middle, x2: middle, y1: y(accuracy.low), y2: y(accuracy.high) }),
      shape("line", { x1: x(ms.low), x2: x(ms.high), y1: share, y2: share }),
      shape("circle", { cx: middle, cy: share, r: 5 }),
      shape("text", middle > WIDTH * 0.65 ? { x: middle - 9, y: share + (share < TOP + 20 ? 24 : -8), "text-anchor": "end" } : { x: middle + 9, y: share + (share < TOP + 20 ? 18 : -8) }, strings.lanes[mode]),
    );
    parts.push(group);
  }
  chart.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const said = summaries.map((it) => strings.batch.point(strings.lanes[it.mode], strings.percent(it.accuracy.share), strings.time(it.ms.median)));
  chart.setAttribute("aria-label", `${strings.batch.axes}. ${said.join(". ")}`);
  chart.replaceChildren(...parts);
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {string} [text]
 */
function shape(name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== undefined) element.textContent = text;
  return element;
}
