// @ts-check
// How far the loading is, where the headline will be.

import { find, setText } from "../dom.js";
import { strings } from "../strings/chosen.js";

const panel = find("#loading", HTMLElement);
const text = find("#loading-text", HTMLElement);
const bar = find("#loading-bar", HTMLProgressElement);

/** @param {import("../state.js").State} state */
export function showLoading({ engine, progress, trouble }) {
  panel.hidden = engine !== null || trouble !== null;
  if (panel.hidden) return;
  const { phase, loadedBytes = 0, totalBytes = 0 } = progress ?? {};
  if (phase === undefined) setText(text, strings.loading.start);
  else if (phase === "download") setText(text, strings.loading.download(strings.bytes(loadedBytes), strings.bytes(totalBytes)));
  else setText(text, strings.loading[phase]);
  if (totalBytes > 0 && (phase === "download" || phase === "upload")) bar.value = loadedBytes / totalBytes;
  else bar.removeAttribute("value");
}
