// @ts-check
// The looks of <semcot-demo>: custom properties and parts are for the page to change. Light or dark is as
// the page's own `color-scheme` says, so that a light page does not get a dark box.

export const STYLES = `
:host {
  --_accent: var(--semcot-accent, light-dark(#0b7a75, #4cc7bf));
  --_accent-ink: var(--semcot-accent-ink, light-dark(#ffffff, #14181b));
  --_paper: var(--semcot-paper, light-dark(#ffffff, #1c2226));
  --_ink: var(--semcot-ink, light-dark(#1d2327, #e9e7e2));
  --_soft: var(--semcot-ink-soft, light-dark(#59636a, #a3adb3));
  --_line: var(--semcot-line, light-dark(#dcd8cf, #353e44));
  --_explicit: var(--semcot-explicit, light-dark(#9a5b00, #e9ab4e));
  --_direct: var(--semcot-direct, light-dark(#5b5a86, #b0afe0));
  --_right: light-dark(#1a7540, #6fd196);
  --_wrong: light-dark(#b3261e, #ff8f85);
  display: block;
  container-type: inline-size;
  box-sizing: border-box;
  padding: 1rem;
  border: 1px solid var(--_line);
  border-radius: var(--semcot-radius, 0.6rem);
  background: var(--_paper);
  color: var(--_ink);
  font-family: var(--semcot-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif);
  font-size: 1rem;
  line-height: 1.45;
  text-align: start;
}
:host([hidden]) { display: none; }
:host(:lang(ko)) { word-break: keep-all; }
:where(form, div, ol, p, progress, button)[hidden] { display: none; }
*, ::before, ::after { box-sizing: border-box; }
p, ol { margin: 0; padding: 0; }
:focus-visible { outline: 2px solid light-dark(#1d5fd0, #8ab4ff); outline-offset: 2px; }

label { display: block; margin-block-end: 0.25rem; font-size: 0.9rem; font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: 0.6rem; }
textarea {
  flex: 1 1 16rem;
  min-inline-size: 0;
  min-block-size: 3.6rem;
  max-block-size: 12rem;
  padding: 0.45rem 0.6rem;
  resize: vertical;
  field-sizing: content;
  font: inherit;
  color: inherit;
  background: color-mix(in srgb, var(--_ink) 4%, var(--_paper));
  border: 1px solid color-mix(in srgb, var(--_ink) 45%, var(--_paper));
  border-radius: 0.4rem;
}
.buttons { display: grid; min-inline-size: 6rem; }
.buttons > * { grid-area: 1 / 1; }
button {
  padding: 0.45rem 1rem;
  font: inherit;
  font-weight: 600;
  color: var(--_accent-ink);
  background: var(--_accent);
  border: 1px solid var(--_accent);
  border-radius: 0.4rem;
  cursor: pointer;
}
button#stop { color: inherit; background: none; border-color: color-mix(in srgb, var(--_ink) 45%, var(--_paper)); }

.lanes { display: grid; gap: 0.8rem; margin-block-start: 0.9rem; }
@container (inline-size > 34rem) {
  .lanes { grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); }
}
.lane { --_lane: var(--_accent); display: flex; flex-direction: column; gap: 0.35rem; min-inline-size: 0; }
.lane[data-mode="explicit"] { --_lane: var(--_explicit); }
.lane[data-mode="direct"] { --_lane: var(--_direct); }
.name { font-weight: 600; color: var(--_lane); }
/* As much room as reasoning and vectors take, so that nothing moves when they come. */
.work { block-size: 4.6rem; overflow: hidden; }
.placeholder, .note { color: var(--_soft); font-size: 0.9rem; }
.reasoning { max-block-size: 100%; overflow-y: auto; font: 0.9rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.cells { display: flex; flex-wrap: wrap; gap: 0.35rem; list-style: none; }
.cell { inline-size: 1.4rem; block-size: 2.4rem; border: 1px solid var(--_lane); border-radius: 0.25rem; background: color-mix(in srgb, var(--_lane) 30%, var(--_paper)); }
.result { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.6rem; min-block-size: 2rem; font-variant-numeric: tabular-nums; }
.answer { font-size: 1.35rem; overflow-wrap: anywhere; }
.answer.long { font-size: 1rem; }
.lane[data-right="true"] .verdict { color: var(--_right); }
.lane[data-right="false"] .verdict { color: var(--_wrong); }
.time { color: var(--_soft); }
.track { block-size: 0.5rem; border-radius: 0.25rem; background: color-mix(in srgb, var(--_ink) 10%, var(--_paper)); }
.bar { block-size: 100%; inline-size: 0; border-radius: inherit; background: var(--_lane); }

progress { inline-size: 100%; margin-block-start: 0.7rem; accent-color: var(--_accent); }
.status { min-block-size: 1.45em; margin-block-start: 0.6rem; font-weight: 600; overflow-wrap: anywhere; }
.status[data-trouble] { color: var(--_wrong); font-weight: 400; }
`;
