// `npm run docs`: what the pages of docs/ have in common, head, navigation and foot, around what each says
// by itself; and the reference of docs/api.html from the code. The pages stay whole files that need no build
// to be read; a test holds the committed ones to what this writes.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, Trouble, isMain, runMain } from "./commands.mjs";
import { withReference } from "./reference.mjs";

/**
 * @typedef {object} Page
 * @property {string} file
 * @property {string} title
 * @property {string} about for those who find it by a search
 * @property {string} [module] that it runs
 */

/** In the order of the navigation. @type {Page[]} */
export const PAGES = [
  { file: "index.html", title: "Get started", about: "Implicit reasoning in a page of your own, in a few lines.", module: "../www/element.js" },
  { file: "api.html", title: "JavaScript interface", about: "Every class, method and option of www/semcot.js." },
  { file: "model-format.html", title: "Model format", about: "The files of a model folder: semcot.json and GGUF keys." },
  { file: "hosting.html", title: "Host it", about: "Put the page or the engine on any file server." },
  { file: "training.html", title: "Train your own", about: "A pair of your own, on a laptop." },
];

/** What stands between these is a page's own. */
const [BEGIN, END] = ['<article id="content" class="prose">\n', "\n    </article>"];

/**
 * A page as it should be committed.
 * @param {Page} page
 */
export function docsPage({ file, title, about, module }) {
  const written = readFileSync(pathOf(file), "utf8");
  const [begin, end] = [written.indexOf(BEGIN), written.indexOf(END)];
  if (begin < 0 || end < begin) throw new Trouble(`docs/${file} has no ${BEGIN.trim()} … ${END.trim()}`);
  const own = written.slice(begin + BEGIN.length, end);
  const links = PAGES.map((page) => {
    const address = page.file === "index.html" ? "./" : page.file;
    return `        <li><a href="${address}"${page.file === file ? ' aria-current="page"' : ""}>${page.title}</a></li>\n`;
  });
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="description" content="${about}">
  <title>${title} · semcot</title>
  <link rel="icon" href="../www/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="../www/styles.css">
  <link rel="stylesheet" href="docs.css">
${module ? `  <script type="module" src="${module}"></script>\n` : ""}</head>
<body>
  <a class="skip" href="#content">Skip to the text</a>
  <header class="masthead">
    <p><a href="../">semcot</a>: reasoning, without writing it down</p>
  </header>
  <main class="docs">
    <nav class="docs-nav" aria-label="Documentation">
      <ul>
${links.join("")}      </ul>
    </nav>
    ${BEGIN}${file === "api.html" ? withReference(own) : own}${END}
  </main>
  <footer>
    <p><a href="../">Ask it a question</a> · <a href="../MODEL_CARD.md">Model card</a> · <a href="https://arxiv.org/abs/2510.24940">The paper, SemCoT</a></p>
  </footer>
</body>
</html>
`;
}

/** @param {string} file */
export function pathOf(file) {
  return join(ROOT, "docs", file);
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    for (const page of PAGES) writeFileSync(pathOf(page.file), docsPage(page));
    console.log(`docs/ has its ${PAGES.length} pages, with the interface as it is.`);
  });
}
