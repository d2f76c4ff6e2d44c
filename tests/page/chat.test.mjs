// The OpenAI-shaped client, with the shipped pair's target as a chat model: a template in its file makes a
// question of a message, and the model writes its reasoning.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ROOT } from "../../scripts/commands.mjs";
import { startHarness } from "./harness.mjs";
import { withMetadata } from "./split-gguf.mjs";

/** In the words of published templates: loops, conditions, filters, refusals, white space that is cut. */
const TEMPLATE = `{{- bos_token }}
{%- for message in messages %}
    {%- if message.role == "system" and not loop.first %}
        {{- raise_exception("the system's message must come first") }}
    {%- elif message.role == "user" and loop.last %}
        {{- "Question: " + message["content"].strip() }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<reason>" }}{% endif %}`;
const QUESTION = "Maria has 12 apples. She gives 5 apples to Tom. Then she buys 2 more apples. How many apples does Maria have now?";

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
/** @type {Awaited<ReturnType<Awaited<ReturnType<typeof startHarness>>["open"]>>} */ let opened;
before(async () => {
  harness = await startHarness();
  const plain = readFileSync(join(ROOT, "models", "mini", "target.gguf"));
  // Token 0 is what it writes behind an answer; the pair knows that from its manifest.
  const chatting = withMetadata(plain, { "tokenizer.chat_template": TEMPLATE, "tokenizer.ggml.eos_token_id": 0 });
  opened = await harness.open({
    query: "MODEL_CARD.md",
    prepare: (page) => page.route("**/models/chat.gguf", (route) => route.fulfill({ body: chatting, headers: { ETag: '"1"' } })),
  });
});
after(async () => {
  await opened.close();
  await harness.stop();
});

/**
 * Runs `body` where a `client` of a chat model, `plain`, one without a template, and `QUESTION` are at hand.
 * @param {string} body of an async function
 * @returns {Promise<any>}
 */
function inPage(body) {
  return opened.page.evaluate(`(async () => {
    const { SemCoT } = await import("/www/semcot.js");
    const { chatClient } = await import("/www/chat.js");
    const QUESTION = ${JSON.stringify(QUESTION)};
    const caught = async (promise) => promise.then(() => null, ({ name, code, message }) => ({ name, code, message }));
    const chatting = await (globalThis.chatting ??= SemCoT.load("/models/chat.gguf"));
    const plain = await (globalThis.plain ??= SemCoT.load("/models/mini/target.gguf"));
    const client = chatClient(chatting);
    const create = client.chat.completions.create;
    const messages = [{ role: "system", content: "You are terse." }, { role: "user", content: QUESTION + "\\n" }];
    ${body}
  })()`);
}

test("a_completion_has_the_services_form_and_is_right", async () => {
  const { completion, whole } = await inPage(`
    const completion = await create({ model: "any", messages, temperature: 0 });
    const whole = await chatting.generate("Question: " + QUESTION + "<reason>", { special: true, maxTokens: 100 });
    return { completion, whole };`);
  const { id, object, created, model, choices, usage, ...rest } = completion;
  assert.deepEqual(rest, {});
  assert.match(id, /^chatcmpl-/);
  assert.equal(object, "chat.completion");
  assert.ok(Math.abs(created - Date.now() / 1000) < 600);
  assert.match(model, /chat\.gguf/);
  const [{ index, message, finish_reason }] = choices;
  assert.deepEqual([choices.length, index, message.role, finish_reason], [1, 0, "assistant", "stop"]);
  assert.match(message.content, /12 - 5 = 7.*7 \+ 2 = 9\.9$/);
  assert.equal(message.content, whole.text, "the template makes the prompt");
  assert.deepEqual(usage, {
    prompt_tokens: whole.promptTokens, completion_tokens: whole.ids.length, total_tokens: whole.promptTokens + whole.ids.length,
  });
  assert.ok(usage.prompt_tokens > 20);
});

test("a_stream_gives_the_same_in_chunks_and_what_it_took_where_asked", async () => {
  const { chunks, content, next } = await inPage(`
    const chunks = [];
    const stream = await create({ messages, temperature: 0, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) chunks.push(chunk);
    const { choices: [{ message: { content } }] } = await create({ messages, temperature: 0 });
    // Who leaves a stream early leaves the engine free.
    for await (const chunk of await create({ messages, temperature: 0, stream: true })) if (chunk.choices[0].delta.content) break;
    const next = (await create({ messages, temperature: 0, max_tokens: 1 })).choices[0].finish_reason;
    return { chunks, content, next };`);
  assert.deepEqual(chunks[0].choices, [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }]);
  const usage = chunks.at(-1);
  assert.deepEqual(usage.choices, []);
  assert.ok(usage.usage.completion_tokens > 0);
  assert.deepEqual(chunks.at(-2).choices, [{ index: 0, delta: {}, finish_reason: "stop" }]);
  const parts = chunks.slice(1, -2);
  assert.ok(parts.length > 1);
  assert.equal(parts.map((/** @type {any} */ chunk) => chunk.choices[0].delta.content).join(""), content);
  for (const chunk of chunks) assert.deepEqual([chunk.object, chunk.id], ["chat.completion.chunk", chunks[0].id]);
  assert.equal(next, "length");
});

test("its_parameters_do_what_they_do_there", async () => {
  const { limited, stopped, same, other, parts, filled } = await inPage(`
    const text = async (options) => (await create({ messages, ...options })).choices[0];
    const limited = await create({ messages, max_tokens: 5, temperature: 0 });
    const stopped = await text({ stop: [" - ", "never"], temperature: 0 });
    const hot = { temperature: 6, top_p: 1, max_completion_tokens: 40 };
    const same = [await text({ ...hot, seed: 5 }), await text({ ...hot, seed: 5 })];
    const other = await text({ ...hot, seed: 6 });
    const parts = await create({ messages: [{ role: "user", content: [{ type: "text", text: QUESTION.slice(0, 30) }, { type: "text", text: QUESTION.slice(30) }] }], temperature: 0, max_tokens: 30 });
    const filled = await create({ messages, stop: null, n: 1, temperature: 0, seed: null, max_tokens: null });
    return { limited, stopped, same, other, parts, filled };`);
  assert.deepEqual([limited.choices[0].finish_reason, limited.usage.completion_tokens], ["length", 5]);
  assert.equal(stopped.finish_reason, "stop");
  assert.match(stopped.message.content, / 12$/);
  assert.deepEqual(same[0], same[1]);
  assert.notDeepEqual(same[0], other);
  assert.match(parts.choices[0].message.content, /12 - 5/);
  assert.equal(filled.choices[0].finish_reason, "stop");
});

test("a_template_may_be_given_as_jinja_or_as_a_function", async () => {
  const [own, jinja, made] = await inPage(`
    const text = async (options) => (await chatClient(plain, options).chat.completions.create({ messages, temperature: 0, max_tokens: 100 })).choices[0].message.content;
    return [
      (await create({ messages, temperature: 0, max_tokens: 100 })).choices[0].message.content,
      await text({ template: "Question: {{ messages[-1].content | trim }}<reason>" }),
      await text({ template: (given, { begin, end }) => begin + end + "Question: " + given.at(-1).content.trim() + "<reason>" }),
    ];`);
  // Without an end token they go on behind it.
  for (const text of [jinja, made]) assert.ok(text.startsWith(own) && text.length > own.length, text);
});

test("what_cannot_be_done_is_refused_by_its_name", async () => {
  const errors = await inPage(`
    const folder = await SemCoT.load("/models/mini/");
    const errors = [
      await caught(create({ messages, tools: [] })),
      await caught(create({ messages, n: 2 })),
      await caught(create({ messages, stop: ["a", "b", "c", "d", "e"] })),
      await caught(create({ messages: [] })),
      await caught(create({ messages: [{ role: "tool", content: "" }] })),
      await caught(create({ messages: [{ role: "user", content: [{ type: "image_url" }] }] })),
      await caught(create({ messages: [...messages, { role: "system", content: "Late." }] })),
      await caught(create({ messages, top_p: 3 })),
      await caught(chatClient(plain).chat.completions.create({ messages })),
      await caught(chatClient(folder).chat.completions.create({ messages })),
      await caught(create({ messages }, { signal: AbortSignal.abort() })),
    ];
    await folder.dispose();
    return errors;`);
  const [tools, n, stop, none, role, image, late, topP, template, folder, aborted] = errors;
  for (const error of [tools, n, stop, none, role, image, late, topP]) assert.equal(error?.code, "bad-input", error?.message);
  assert.match(tools.message, /^tools is not computed here/);
  assert.match(role.message, /messages\[0\]\.role is "tool"/);
  assert.match(late.message, /chat template of .*chat\.gguf refuses these messages: the system's message must come first/);
  for (const error of [template, folder]) assert.equal(error?.code, "unsupported-model");
  assert.match(template.message, /has no chat template .*chatClient\(engine, \{ template:/);
  assert.match(folder.message, /model folder/);
  assert.deepEqual([aborted.name, aborted.code], ["AbortError", "aborted"]);
});
