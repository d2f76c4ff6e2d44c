// @ts-check
// What <semcot-demo> consists of. An element for other people's pages must bring its markup along; this is
// the one place where it stands. Texts are put in by `view.js`.

/** The content of the shadow root; a lane is copied for each way of answering. */
export const MARKUP = `
<form part="form">
  <label part="label" for="question"></label>
  <div class="row">
    <textarea part="question" id="question" rows="2" spellcheck="false"></textarea>
    <div class="buttons">
      <button part="button run" id="run"></button>
      <button part="button stop" id="stop" type="button" hidden></button>
    </div>
  </div>
</form>
<div class="lanes" part="lanes"></div>
<progress part="progress" max="1" hidden></progress>
<p class="status" part="status" role="status"></p>
<p class="note" part="note"></p>
<template id="lane">
  <div class="lane" part="lane" role="group">
    <p class="name" part="lane-name"></p>
    <div class="work">
      <ol class="cells" role="list" hidden></ol>
      <p class="reasoning" part="reasoning" tabindex="0" role="group" hidden></p>
      <p class="placeholder" part="placeholder"></p>
    </div>
    <p class="result"><strong class="answer" part="answer"></strong> <span class="verdict" part="verdict"></span> <span class="time" part="time"></span></p>
    <div class="track" aria-hidden="true"><div class="bar" part="bar"></div></div>
  </div>
</template>
<template id="cell"><li class="cell" part="vector"></li></template>
`;
