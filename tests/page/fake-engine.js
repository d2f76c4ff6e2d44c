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
  const listed = [files.target, files.generator].map(({ path, bytes }) => [{ path, bytes, sha256: "fake" }]);
  return [...listed, files.sentence_transformer ? [{ ...files.sentence_transformer, sha256: "fake" }] : []];
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
  return { query: `Ann has ${a} pears and finds ${b} more. How many pears does Ann have? (${split})`, reasoning: `We start with ${a}, number ${seed}.`, condensed_reasoning: `${a} ${seed % 3 ? "+" : "-"} ${b} = ${a + b}`, answer: String(a + b), family, steps: 1 };
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
      models: [{ parameters: 146000, bytes: 160000, pass_bytes: 140000, weight_type: "Q8_0" }, { parameters: 90000, bytes: 100000, pass_bytes: 90000, weight_type: "Q8_0" }],
      alignment: [{ family: "arithmetic", n: 1500, bank: 99, own_first: 0.875 }, { family: "coin", n: 40, bank: 4, own_first: 1 }],
      accuracy: ["arithmetic", "coin"].flatMap((family) => [["implicit", 0.985], ["explicit", 1], ["direct", 0.16]].map(([mode, strict]) => ({ family, mode, n: 1000, strict }))),
    };
  }

  async ask(question, { mode, implicitTokens = 4 }, onPiece) {
    if (question.includes("LOSE")) throw failure("device-lost", "The device was lost: destroyed.");
    if (question.length > 2000) throw failure("bad-input", "The question has 900 tokens; with the answer the context holds 256.");
    const start = performance.now();
    // Right with as many implicit tokens as it was trained with.
    const answer = implicitTokens === 4 ? "9" : String(implicitTokens);
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
      mode, text: written.join(""), reasoning: written.slice(0, -1).join(""), answer, implicit_tokens: mode === "implicit" ? implicitTokens : 0, ended: true, token_ids: [], tokens, target_passes: tokens, generator_passes: mode === "implicit" ? 1 : 0,
      submits: 2, read_backs: 1, bytes_read_back: 64, dispatches: 100,
      ms: { generator: 1, prefill: 2, decode: 3, total: performance.now() - start },
    };
  }

  async bench({ matvecBytes, weightTypes }) {
    await pause(10);
    return { matvec: weightTypes.map((weight_type) => ({ weight_type, bytes: matvecBytes })), decode_ms_per_token: 0.05, bandwidth: { pass_bytes: 140000, gb_per_s: 35, floor_ms_per_token: 0.004 } };
  }

  async loadSentenceTransformer([file]) {
    await file.read(0, 10);
    this.compares = true;
  }

  async embed(texts) {
    await pause(2 * texts.length);
    return Float32Array.from(texts.flatMap((text) => [1, text.length, 0, 1]));
  }

  async inspect(question, { implicitTokens = 4, nearest, reasoning = "12 - 5 = 7", bank }) {
    if (question.includes("LOSE")) throw failure("device-lost", "The device was lost: destroyed.");
    if (bank && !this.compares) throw failure("unsupported-model", "texts are to be embedded, but no sentence transformer is loaded");
    await pause(question.includes("SLOWLY") ? 400 : 4);
    // Two clouds, by whether the first number of the question is even.
    const first = Number(question.match(/\d+/)?.[0] ?? 0);
    const values = Array.from({ length: implicitTokens * 8 }, (_, index) => ((first % 2) * 4 + Math.sin(first * 7 + index)) * (index % 8 < 4 ? 1 : -1));
    const words = [[" nine", 0.5], ["9", 0.4], ["", 0.3], ["\n", 0.2], ["</b><img src=x>", 0.1]];
    const others = (bank ?? []).map((text, index) => ({ text, cosine: 0.8 - index / 200, own: false }));
    return {
      implicit_tokens: implicitTokens,
      hidden_size: 8,
      values,
      vectors: Array.from({ length: implicitTokens }, (_, index) => ({ norm: 10 + index, nearest: words.slice(0, nearest).map(([text, cosine], token) => ({ token, text, cosine })) })),
      cosines: Array.from({ length: implicitTokens }, (_, row) => Array.from({ length: implicitTokens }, (_, column) => (row === column ? 1 : (row - column) / 10))),
      vocabulary: nearest === 0 ? null : { median_norm: 11.87, chance_cosine: 0.39 },
      alignment: bank ? { reasoning, cosine: 0.79, rank: 3, ranking: [...others.slice(0, 2), { text: reasoning, cosine: 0.79, own: true }, ...others.slice(2)] } : null,
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
