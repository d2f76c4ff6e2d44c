// Stands in for www/pkg/semcot.js (what wasm-bindgen makes) where a test wants what a real device will not
// give on demand. It answers by rote, at a steady pace, and fails when the question says so.

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const failure = (code, message) => Object.assign(new Error(message), { code });

export default async function init() {}

export class Sha256Stream {
  update() {}
  hex() {
    return "fake";
  }
}

export function manifestFiles(text) {
  const { files } = JSON.parse(text);
  return [files.target, files.generator].map(({ path, bytes }) => [{ path, bytes, sha256: "fake" }]);
}

export async function preflight(target, generator) {
  for (const file of [...target, ...generator]) await file.read(0, 100);
}

export function memoryBytes() {
  return 1 << 20;
}

export function problems(family, split, seed, count) {
  return Array.from({ length: count }, (_, index) => problem(family, split, seed + index));
}

function problem(family, split, seed) {
  const [a, b] = [seed % 10, (seed >> 4) % 10];
  return { query: `Ann has ${a} pears and finds ${b} more. How many pears does Ann have? (${split})`, reasoning: "", condensed_reasoning: "", answer: String(a + b), family, steps: 1 };
}

export class Engine {
  static async load(_manifest, target, generator, _options, onProgress) {
    const bytes = target[0].byteLength + generator[0].byteLength;
    for (const phase of ["upload", "compile"]) {
      await pause(20);
      if (!onProgress(phase, bytes)) throw failure("aborted", "Aborted.");
    }
    return new Engine();
  }

  free() {}

  untilLost() {
    return new Promise(() => {});
  }

  info() {
    return {
      name: "fake", license: "MIT OR Apache-2.0", implicit_tokens: 4, tokens_per_submit: 16, read_back_ms: 2.4,
      adapter: { name: "rote", software: true },
      kernels: { name: "serial", rejected: [], slower: [] },
      models: [{ parameters: 146000, bytes: 160000 }, { parameters: 90000, bytes: 100000 }],
      accuracy: ["arithmetic", "coin"].flatMap((family) => [["implicit", 0.985], ["explicit", 1], ["direct", 0.16]].map(([mode, strict]) => ({ family, mode, n: 1000, strict }))),
    };
  }

  async ask(question, { mode }, onPiece) {
    if (question.includes("LOSE")) throw failure("device-lost", "The device was lost: destroyed.");
    if (question.length > 2000) throw failure("bad-input", "The question has 900 tokens; with the answer the context holds 256.");
    const start = performance.now();
    const answer = "9";
    const written = { implicit: [answer], direct: [answer], explicit: ["12 - 5 = 7", " ; ", "7 + 2 = 9", answer] }[mode];
    if (mode === "implicit") {
      await pause(8);
      onPiece({ kind: "implicit_tokens", count: 4 });
    }
    for (const text of written) {
      await pause((mode === "explicit" ? 40 : 15) * (question.includes("SLOWLY") ? 100 : 1));
      // As the real one: a run that is told to stop ends with what it has.
      if (!onPiece({ kind: "text", text, tokens: 2, answer: text === answer })) break;
    }
    const tokens = 2 * written.length;
    return {
      mode, text: written.join(""), reasoning: written.slice(0, -1).join(""), answer, implicit_tokens: mode === "implicit" ? 4 : 0, ended: true, token_ids: [], tokens, target_passes: tokens, generator_passes: mode === "implicit" ? 1 : 0,
      submits: 2, read_backs: 1, bytes_read_back: 64, dispatches: 100,
      ms: { generator: 1, prefill: 2, decode: 3, total: performance.now() - start },
    };
  }

  async compare(question, { modes, repeats }, onAnswer) {
    const answers = Object.fromEntries(modes.map((mode) => [mode, []]));
    for (let round = 0; round < repeats; round++) {
      for (const mode of modes) {
        const answer = await this.ask(question, { mode }, () => true);
        answers[mode].push(answer);
        if (!onAnswer(answer)) return null;
      }
    }
    const compared = Object.entries(answers).map(([mode, list]) => {
      const runs = list.map((answer) => answer.ms.total);
      const sorted = [...runs].sort((a, b) => a - b);
      return [mode, { answer: list.at(-1), ms: { runs, median: sorted[sorted.length >> 1], min: sorted[0], max: sorted.at(-1) } }];
    });
    const modesCompared = Object.fromEntries(compared);
    return { modes: modesCompared, speed_up: modesCompared.explicit.ms.median / modesCompared.implicit.ms.median };
  }
}
