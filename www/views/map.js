// @ts-check
// Many questions' implicit tokens as points: along the two directions that they differ most in, with the
// shapes and colours of the classes that their questions fall into.

import { copyOf, find, setText } from "../dom.js";
import { COLOURINGS, classOf, combined } from "../look/classes.js";
import { principalComponents } from "../look/pca.js";
import { strings } from "../strings/chosen.js";
import { familiesOf } from "./question.js";

/** @typedef {import("../state.js").State} State */
/** @typedef {import("../state.js").PointMap} PointMap */
/** @typedef {import("../look/classes.js").Colouring} Colouring */

const SVG = "http://www.w3.org/2000/svg";
/** The plot's size in its own units, and what is left free at its edges. */
const [WIDTH, HEIGHT, MARGIN] = [640, 400, 16];
/** Points are redrawn after so many new ones while they come. */
const REDRAW_EVERY = 10;

/** Outlines around the origin, told apart without colour. */
const SHAPES = [
  "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0Z",
  "M-4,-4H4V4H-4Z",
  "M0,-5.2L5,3.8H-5Z",
  "M0,-5.8L5.8,0L0,5.8L-5.8,0Z",
  "M0,5.2L5,-3.8H-5Z",
  "M-1.7,-5H1.7V-1.7H5V1.7H1.7V5H-1.7V1.7H-5V-1.7H-1.7Z",
];

const start = find("#map-start", HTMLButtonElement);
const cancel = find("#map-cancel", HTMLButtonElement);
const bar = find("#map-bar", HTMLProgressElement);
const status = find("#map-status", HTMLElement);
const result = find("#map-result", HTMLElement);
const family = find("#map-family", HTMLSelectElement);
const what = find("#map-what", HTMLSelectElement);
const colour = find("#map-colour", HTMLSelectElement);
const legend = find("#map-legend", HTMLUListElement);
const plot = find("#map-plot", HTMLElement);
const points = find("#map-points", SVGSVGElement);
const tip = find("#map-tip", HTMLElement);
const chosen = find("#map-chosen", HTMLElement);
const note = find("#map-note", HTMLElement);

/** What the plot shows already. @type {unknown[]} */
let drawn = [];
/** Where its points lie, in its own units. @type {[number, number][]} */
let places = [];

/** @param {State} state */
export function showMap(state) {
  const { engine, busy, map } = state;
  const running = busy === "map";
  start.disabled = engine === null || busy !== null;
  cancel.hidden = bar.hidden = !running;
  showChoices(state);
  const done = map?.inspections.length ?? 0;
  bar.value = map === null ? 0 : done / map.problems.length;
  status.setAttribute("aria-live", running ? "off" : "polite");
  setText(status, statusText(map, running));
  result.hidden = map === null || done < 3;
  if (map === null || result.hidden) return;
  const now = [map, running ? Math.floor(done / REDRAW_EVERY) : done, what.value, colour.value, strings];
  if (now.some((value, index) => value !== drawn[index])) {
    drawn = now;
    draw(map);
  }
  showChosen(map);
}

/**
 * @param {PointMap | null} map
 * @param {boolean} running
 */
function statusText(map, running) {
  if (map === null) return "";
  const [done, total] = [map.inspections.length, map.problems.length];
  if (running) return strings.map.progress(strings.number(done), strings.number(total));
  return done === total ? strings.map.finished(strings.number(done)) : strings.map.cancelled(strings.number(done), strings.number(total));
}

/** @param {State} state */
function showChoices({ engine }) {
  const k = engine?.info.implicitTokens ?? 0;
  const families = engine === null ? [] : familiesOf(engine.info);
  fill(family, [...(families.length > 1 ? [["", strings.map.allFamilies]] : []), ...families.map((name) => [name, strings.families[name] ?? name])], families[0]);
  fill(what, [["all", strings.map.all], ["mean", strings.map.mean], ...Array.from({ length: k }, (_, index) => [String(index + 1), strings.look.vector(index + 1)])]);
  fill(colour, COLOURINGS.map((name) => [name, strings.map.colourings[name]]));
}

/**
 * Offers choices, where they are not offered already.
 * @param {HTMLSelectElement} select
 * @param {string[][]} choices values with their texts
 * @param {string} [first] chosen where nothing was
 */
function fill(select, choices, first) {
  const texts = choices.map(([, text]) => text).join("\n");
  if (select.dataset.texts === texts) return;
  const value = select.options.length > 0 ? select.value : first ?? choices[0]?.[0];
  select.dataset.texts = texts;
  select.replaceChildren(...choices.map(([name, text]) => {
    const option = copyOf("#option-template", HTMLOptionElement);
    option.value = name;
    option.textContent = text;
    return option;
  }));
  if (choices.some(([name]) => name === value)) select.value = value;
}

/** @param {PointMap} map */
function draw({ problems, inspections }) {
  const { coordinates, shares } = principalComponents(inspections.map((it) => combined(it, what.value)), 2);
  places = placesOf(coordinates);
  const classes = inspections.map((_, index) => classOf(problems[index], /** @type {Colouring} */ (colour.value)));
  const order = [...new Map(classes.map((it) => [it.key, it])).values()].sort((a, b) => a.key.localeCompare(b.key, "en", { numeric: true }));
  const ordered = order.some((it) => it.kind === "number" || it.kind === "steps");
  const styleOf = (/** @type {string} */ key) => {
    const index = order.findIndex((it) => it.key === key);
    return { shape: SHAPES[index % SHAPES.length], tone: `${ordered ? "scale" : "class"}-${index % SHAPES.length}` };
  };
  // On a narrow screen the plot shrinks, and its points must still be seen.
  const size = Math.min(Math.max((0.8 * WIDTH) / (plot.clientWidth || WIDTH), 1), 1.8);
  points.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  points.setAttribute("aria-label", strings.map.said(strings.number(inspections.length), strings.map.colourings[/** @type {Colouring} */ (colour.value)]));
  points.replaceChildren(...places.map(([x, y], index) => {
    const { shape, tone } = styleOf(classes[index].key);
    return outline(shape, { "data-point": index, "data-tone": tone, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(2)})` });
  }));
  legend.replaceChildren(...order.map((it) => {
    const line = copyOf("#legend-template", HTMLLIElement);
    const { shape, tone } = styleOf(it.key);
    find("svg", SVGSVGElement, line).append(outline(shape, { "data-tone": tone }));
    const count = classes.filter(({ key }) => key === it.key).length;
    setText(find("span", HTMLElement, line), strings.map.legend(it.kind === "family" ? strings.families[it.value] ?? it.value : strings.map.classes[it.kind](it.value), strings.number(count)));
    return line;
  }));
  setText(note, strings.map.note(strings.percent(shares[0]), strings.percent(shares[1])));
}

/**
 * Both directions to one scale, so that distances are what they are.
 * @param {number[][]} coordinates
 * @returns {[number, number][]}
 */
function placesOf(coordinates) {
  const range = (/** @type {number} */ axis) => {
    const values = coordinates.map((it) => it[axis]);
    return { low: Math.min(...values), high: Math.max(...values) };
  };
  const [x, y] = [range(0), range(1)];
  const scale = Math.min((WIDTH - 2 * MARGIN) / (x.high - x.low || 1), (HEIGHT - 2 * MARGIN) / (y.high - y.low || 1));
  return coordinates.map(([a, b]) => [
    WIDTH / 2 + (a - (x.low + x.high) / 2) * scale,
    HEIGHT / 2 - (b - (y.low + y.high) / 2) * scale,
  ]);
}

/** @param {PointMap} map */
function showChosen({ problems, chosen: index }) {
  for (const point of points.querySelectorAll("[data-chosen]")) if (point.getAttribute("data-point") !== String(index)) point.removeAttribute("data-chosen");
  const place = places[index];
  tip.hidden = place === undefined;
  const problem = problems[index];
  setText(chosen, place === undefined ? "" : strings.map.chosen(strings.number(index + 1), problem.answer));
  if (place === undefined) return;
  const point = points.querySelector(`[data-point="${index}"]`);
  if (point !== null && !point.hasAttribute("data-chosen")) {
    point.setAttribute("data-chosen", "");
    // Drawn last, above the others.
    if (point.nextElementSibling !== null && !plot.matches(":hover")) points.append(point);
  }
  setText(tip, problem.query);
  const [x, y] = [place[0] / WIDTH, place[1] / HEIGHT];
  tip.style.insetInlineStart = `${Math.min(Math.max(x, 0.2), 0.8) * 100}%`;
  tip.style.insetBlockStart = `${y * 100}%`;
  tip.dataset.below = String(y < 0.5);
}

/**
 * @param {string} shape
 * @param {Record<string, string | number>} attributes
 */
function outline(shape, attributes) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", shape);
  for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, String(value));
  return path;
}
