// A program of somebody else, as strict as TypeScript can be: what the package's declarations promise.

import { MODES, Run, SemCoT, SemCoTError } from "semcot";
import { chatClient } from "semcot/chat";
import type { ChatChunk, ChatCompletion } from "semcot/chat";
import { SemCoTDemo } from "semcot/element";
import type { Answer, Comparison, Generated, Info, Mode, Piece, Problem, Progress } from "semcot";

/** Fails to compile unless both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function sure<_ extends true>() {}

export async function everything(files: FileList, folder: FileSystemDirectoryHandle): Promise<string> {
  const support = await SemCoT.isSupported();
  sure<Same<typeof support.supported, boolean>>();
  for (const { code, message } of support.reasons) if (code === "no-webgpu") return message;

  const controller = new AbortController();
  const { signal } = controller;
  const onProgress = ({ phase, loadedBytes, totalBytes, cached }: Progress) => console.log(phase, loadedBytes / totalBytes, cached);
  await using engine = await SemCoT.load("models/mini/", { signal, onProgress, kv: "f32", worker: false });
  await SemCoT.load(new URL("https://example.org/model.gguf"), { workerUrl: "worker.js", wasmUrl: new URL("https://example.org/a.wasm") });
  await SemCoT.load(files);
  await SemCoT.load(folder);
  sure<Same<typeof engine, SemCoT>>();
  sure<Same<typeof engine.info, Info>>();
  const parameters: number = engine.info.models[0]!.parameters;

  const run = engine.ask("How many?", { mode: "explicit", signal, maxTokens: 8, implicitTokens: 4, tokensPerSubmit: 2 });
  sure<Same<typeof run, Run<Piece, Answer>>>();
  for await (const piece of run) {
    if (piece.kind === "implicit_tokens") console.log(piece.count);
    else console.log(piece.text, piece.answer);
  }
  const answer = await run;
  sure<Same<typeof answer, Answer>>();
  sure<Same<typeof answer.ms.generator, number | null>>();

  const comparing = engine.compare("How many?", { repeats: 2, modes: ["implicit", "explicit"], signal });
  for await (const { done, total, answer } of comparing) console.log(done / total, answer.mode);
  const comparison: Comparison = await comparing;
  const median: number | undefined = comparison.modes.implicit?.ms.median;

  const generating = engine.generate("Once", { temperature: 0.7, topP: 0.9, seed: 1, stop: ["."], signal });
  for await (const part of generating) sure<Same<typeof part, string>>();
  const generated: Generated = await generating;
  const [problem]: Problem[] = await engine.problems({ seed: 1, signal });
  const logits: Float32Array = await engine.forward([1, 2], { give: "lastLogits", signal });

  for (const { url, storedBytes, complete, files } of await SemCoT.cache.list()) {
    if (!complete && storedBytes > 0 && files.length > 0) await SemCoT.cache.delete(url, { signal });
  }
  if (await SemCoT.cache.has("models/mini/")) await SemCoT.cache.persist();
  const { quotaBytes }: { quotaBytes: number } = await SemCoT.cache.estimate();
  await SemCoT.cache.clear();

  try {
    await engine.dispose();
  } catch (error) {
    if (error instanceof SemCoTError && (error.code === "quota" || error.code === "device-lost")) throw error;
  }
  const modes: readonly Mode[] = MODES;

  // @ts-expect-error there is no such mode
  engine.ask("How many?", { mode: "telepathic" });
  // @ts-expect-error a question is a text
  engine.ask(42);
  // @ts-expect-error nor such an option
  await SemCoT.load("models/mini/", { fast: true });
  // @ts-expect-error nor such a code
  if (new SemCoTError("quota", "").code === "no-luck") return "";
  // @ts-expect-error what is kept is not changed by assignment
  SemCoT.cache.list = () => Promise.resolve([]);
  return [answer.answer, String(median), generated.text, problem?.query, logits.length, quotaBytes, parameters, modes.length].join();
}

export async function chatting(engine: SemCoT): Promise<string> {
  const { signal } = new AbortController();
  const client = chatClient(engine, { template: (messages, { begin }) => begin + messages.map(({ content }) => content).join("\n") });
  const completion = await client.chat.completions.create({ messages: [{ role: "user", content: "Hello!" }], max_tokens: 5 }, { signal });
  sure<Same<typeof completion, ChatCompletion>>();
  for await (const chunk of await client.chat.completions.create({ messages: [], stream: true })) {
    sure<Same<typeof chunk, ChatChunk>>();
    console.log(chunk.choices[0]?.delta.content ?? "");
  }
  // @ts-expect-error what is not computed has no parameter
  await client.chat.completions.create({ messages: [], tools: [] });
  return completion.choices[0]!.message.content;
}

export function place(): void {
  const demo: SemCoTDemo = new SemCoTDemo();
  demo.src = "models/mini/";
  demo.addEventListener("done", () => demo.stop());
  document.body.append(demo);
}
