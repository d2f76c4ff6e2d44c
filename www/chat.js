// @ts-check
// A GGUF chat model, called as OpenAI's library calls its service: for programs that know that form. Messages
// become a prompt by the model's own template, and `engine.generate` writes the rest.
//
//   const client = chatClient(await SemCoT.load("model.gguf"));
//   const completion = await client.chat.completions.create({ messages: [{ role: "user", content: "Hello!" }] });
//   console.log(completion.choices[0].message.content);

import { SemCoTError } from "./errors.js";

/** @typedef {import("./semcot.js").SemCoT} SemCoT */

/**
 * @typedef {object} ChatMessage
 * @property {"system" | "developer" | "user" | "assistant"} role
 * @property {string | readonly { type: "text", text: string }[]} content
 */

/**
 * What is taken of the service's parameters; others are refused by their name.
 * @typedef {object} ChatParameters
 * @property {readonly ChatMessage[]} messages
 * @property {string} [model] taken and not looked at: there is the one that was loaded
 * @property {number | null} [max_tokens] as many as the context has room for unless told
 * @property {number | null} [max_completion_tokens] the same under its newer name
 * @property {number | null} [temperature] 1 unless told; 0 chooses greedily
 * @property {number | null} [top_p]
 * @property {number | null} [seed] chosen anew unless told
 * @property {string | readonly string[] | null} [stop] at most four
 * @property {1 | null} [n]
 * @property {{ include_usage?: boolean } | null} [stream_options]
 */

/** @typedef {ChatParameters & { stream?: false | null }} WholeParameters */
/** @typedef {ChatParameters & { stream: true }} StreamParameters */

/** @typedef {"stop" | "length"} FinishReason */
/** @typedef {{ prompt_tokens: number, completion_tokens: number, total_tokens: number }} ChatUsage */

/**
 * @typedef {object} ChatCompletion
 * @property {string} id
 * @property {"chat.completion"} object
 * @property {number} created in seconds since 1970
 * @property {string} model
 * @property {{ index: 0, message: { role: "assistant", content: string }, finish_reason: FinishReason }[]} choices
 * @property {ChatUsage} usage
 */

/**
 * @typedef {object} ChatChunk
 * @property {string} id
 * @property {"chat.completion.chunk"} object
 * @property {number} created
 * @property {string} model
 * @property {{ index: 0, delta: { role?: "assistant", content?: string }, finish_reason: FinishReason | null }[]} choices
 * @property {ChatUsage | null} [usage] in a last chunk without choices, where it was asked for
 */

/**
 * Makes a prompt of messages; control tokens may stand in it as texts.
 * @callback ChatTemplate
 * @param {readonly { role: string, content: string }[]} messages
 * @param {{ begin: string, end: string }} tokens texts of the model's own begin and end token
 * @returns {string}
 */

/** @typedef {{ signal?: AbortSignal }} RequestOptions */

/**
 * @typedef {object} ChatClient
 * @property {{ completions: { create: Create } }} chat
 */

/**
 * @typedef {{
 *   (parameters: WholeParameters, options?: RequestOptions): Promise<ChatCompletion>,
 *   (parameters: StreamParameters, options?: RequestOptions): Promise<AsyncIterable<ChatChunk>>,
 * }} Create
 */

const KNOWN = ["messages", "model", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop", "n", "stream", "stream_options"];
const ROLES = ["system", "developer", "user", "assistant"];
/** As many as the service takes. */
const MOST_STOPS = 4;

/**
 * @param {SemCoT} engine with a single GGUF model
 * @param {{ template?: string | ChatTemplate }} [options] `template`, in place of the model's own: Jinja, as in
 *   GGUF files, or a function
 * @returns {ChatClient}
 */
export function chatClient(engine, { template } = {}) {
  // TypeScript cannot see which form of the answer belongs to which parameters.
  const create = /** @type {any} */ (async (/** @type {WholeParameters | StreamParameters} */ parameters, /** @type {RequestOptions} */ { signal } = {}) => {
    const options = readParameters(parameters);
    const prompt = await promptOf(engine, template, readMessages(parameters.messages));
    // Who leaves a stream has no use for the rest.
    const left = new AbortController();
    const run = engine.generate(prompt, { ...options, signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal });
    const head = { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model: engine.info.name };
    return parameters.stream ? chunksOf(run, head, parameters.stream_options?.include_usage === true, left) : completionOf(await run, head);
  });
  return { chat: { completions: { create } } };
}

/**
 * @param {WholeParameters | StreamParameters} parameters
 * @returns {import("./semcot.js").GenerateOptions}
 */
function readParameters(parameters) {
  const unknown = Object.entries(parameters ?? {}).find(([name, value]) => !KNOWN.includes(name) && value !== undefined && value !== null);
  if (unknown) throw refused(`${unknown[0]} is not computed here. Leave it out; there are ${KNOWN.join(", ")}`);
  const { max_tokens, max_completion_tokens, temperature, top_p, seed, stop, n } = parameters;
  if ((n ?? 1) !== 1) throw refused("n can only be 1. Ask again for another answer");
  const stops = typeof stop === "string" ? [stop] : [...(stop ?? [])];
  if (stops.length > MOST_STOPS || stops.some((it) => typeof it !== "string" || it === "")) throw refused(`stop takes at most ${MOST_STOPS} texts that are not empty`);
  return {
    maxTokens: max_completion_tokens ?? max_tokens ?? undefined,
    fillContext: true,
    temperature: temperature ?? 1,
    topP: top_p ?? 1,
    seed: seed ?? crypto.getRandomValues(new Uint32Array(1))[0],
    stop: stops,
    special: true,
  };
}

/**
 * @param {readonly ChatMessage[]} messages
 * @returns {{ role: string, content: string }[]}
 */
function readMessages(messages) {
  if (!Array.isArray(messages) || messages.length === 0) throw refused('messages must be a list with at least one message, as { role: "user", content: "…" }');
  return messages.map(({ role, content }, index) => {
    if (!ROLES.includes(role)) throw refused(`messages[${index}].role is ${JSON.stringify(role)}; there are ${ROLES.join(", ")}`);
    const parts = typeof content === "string" ? [{ type: "text", text: content }] : content;
    if (!Array.isArray(parts) || parts.some((part) => part?.type !== "text" || typeof part.text !== "string")) {
      throw refused(`messages[${index}].content must be a text, or a list of parts { type: "text", text: "…" }`);
    }
    // Templates know the older name.
    return { role: role === "developer" ? "system" : role, content: parts.map((part) => part.text).join("") };
  });
}

/**
 * @param {SemCoT} engine
 * @param {string | ChatTemplate | undefined} given
 * @param {{ role: string, content: string }[]} messages
 * @returns {Promise<string>}
 */
async function promptOf(engine, given, messages) {
  const { name, chatTemplate, specialTokens } = engine.info;
  const template = given ?? chatTemplate;
  if (!template || !specialTokens) {
    throw new SemCoTError(
      "unsupported-model",
      specialTokens
        ? `${name} has no chat template (tokenizer.chat_template). Use a model made for chats, or give one: chatClient(engine, { template: (messages) => "…" }).`
        : `${name} is a model folder, which answers by ask. Load a single GGUF model to chat.`,
    );
  }
  const [begin, end] = [specialTokens.begin ?? "", specialTokens.end ?? ""];
  const prompt = typeof template === "string" ? await render(template, { messages, bos_token: begin, eos_token: end }, name) : template(messages, { begin, end });
  if (typeof prompt !== "string") throw refused("The template's function must give a text");
  // The engine puts this one there itself.
  return specialTokens.addsBegin && begin !== "" && prompt.startsWith(begin) ? prompt.slice(begin.length) : prompt;
}

/**
 * @param {string} template
 * @param {Record<string, unknown>} values
 * @param {string} name
 */
async function render(template, values, name) {
  /** @type {typeof import("./pkg/jinja.js")} */
  let jinja;
  try {
    jinja = await import("./pkg/jinja.js");
  } catch (error) {
    throw new SemCoTError("network", `The module that reads chat templates could not be loaded (${error instanceof Error ? error.message : error}). Is pkg/jinja.js there? In a checkout, npm run build makes it.`);
  }
  try {
    return new jinja.Template(template).render({ ...values, add_generation_prompt: true });
  } catch (error) {
    throw refused(`The chat template of ${name} refuses these messages: ${error instanceof Error ? error.message : error}`);
  }
}

/** @typedef {{ id: string, created: number, model: string }} Head */

/**
 * @param {import("./semcot.js").Generated} generated
 * @param {Head} head
 * @returns {ChatCompletion}
 */
function completionOf(generated, head) {
  const message = { role: /** @type {const} */ ("assistant"), content: generated.text };
  return { ...head, object: "chat.completion", choices: [{ index: 0, message, finish_reason: finishOf(generated) }], usage: usageOf(generated) };
}

/**
 * @param {import("./run.js").Run<string, import("./semcot.js").Generated>} run
 * @param {Head} head
 * @param {boolean} withUsage
 * @param {AbortController} left
 * @returns {AsyncGenerator<ChatChunk, void, undefined>}
 */
async function* chunksOf(run, head, withUsage, left) {
  const chunk = (/** @type {ChatChunk["choices"][number]["delta"]} */ delta, /** @type {FinishReason | null} */ finish_reason = null) =>
    /** @type {ChatChunk} */ ({ ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }], ...(withUsage ? { usage: null } : {}) });
  try {
    yield chunk({ role: "assistant", content: "" });
    for await (const content of run) yield chunk({ content });
    const generated = await run;
    yield chunk({}, finishOf(generated));
    if (withUsage) yield { ...head, object: "chat.completion.chunk", choices: [], usage: usageOf(generated) };
  } finally {
    left.abort();
  }
}

/**
 * @param {import("./semcot.js").Generated} generated
 * @returns {FinishReason}
 */
function finishOf({ endedBy }) {
  return endedBy === "limit" ? "length" : "stop";
}

/**
 * @param {import("./semcot.js").Generated} generated
 * @returns {ChatUsage}
 */
function usageOf({ promptTokens, ids }) {
  return { prompt_tokens: promptTokens, completion_tokens: ids.length, total_tokens: promptTokens + ids.length };
}

/** @param {string} message */
function refused(message) {
  return new SemCoTError("bad-input", `${message}.`);
}
