// Many questions in a row hold no more memory than a few: 60 here, or as many as SEMCOT_QUESTIONS says
// (`npm test -- --only endurance` asks 500).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startHarness } from "./harness.mjs";

const QUESTIONS = Number(process.env.SEMCOT_QUESTIONS ?? 60);
/** By then all caches are warm: code, pipelines, buffers, the tokenizer's memory of words. */
const SETTLED = 30;
/** A JS heap is never twice the same: what two collections in a row differ by, and some. */
const HEAP_SLACK_BYTES = 1_000_000;

/** In the worker: counts what is taken of the device and given back. */
const COUNT_BUFFERS = `{
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  globalThis.deviceBytes = 0;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    globalThis.deviceBytes += descriptor.size;
    return createBuffer.call(this, descriptor);
  };
  GPUBuffer.prototype.destroy = function () {
    globalThis.deviceBytes -= this.size;
    return destroy.call(this);
  };
}`;

/** @type {Awaited<ReturnType<typeof startHarness>>} */ let harness;
before(async () => (harness = await startHarness()));
after(() => harness.stop());

test("many_questions_in_a_row_hold_no_more_memory_than_a_few", async () => {
  const { page, close } = await harness.open({
    query: "MODEL_CARD.md",
    prepare: (page) => page.route("**/www/worker.js", async (route) => {
      const body = await (await route.fetch()).text();
      await route.fulfill({ body: `${COUNT_BUFFERS}\n${body}`, contentType: "text/javascript" });
    }),
  });
  const browser = await page.context().newCDPSession(page);
  await page.evaluate(async () => {
    const path = "/www/semcot.js";
    const { SemCoT, MODES } = await import(path);
    const engine = await SemCoT.load("models/mini/", { device: "gpu" });
    const problems = await engine.problems({ family: "arithmetic", seed: 5, count: 500 });
    const ask = async (/** @type {number} */ begin, /** @type {number} */ end) => {
      let right = 0;
      for (let index = begin; index < end; index++) {
        const { query, answer: truth } = problems[index % problems.length];
        const { answer } = await engine.ask(query, { mode: MODES[index % MODES.length] });
        if (answer === truth) right++;
      }
      return right;
    };
    Object.assign(globalThis, { engine, ask });
  });
  const [worker] = page.workers();

  const ofWorker = await workerDebugger(browser);

  async function held() {
    for (const debug of [browser.send.bind(browser), ofWorker]) await debug("HeapProfiler.collectGarbage");
    return {
      wasm: Number(await page.evaluate("engine.wasmMemoryBytes()")),
      device: Number(await worker.evaluate("deviceBytes")),
      page_heap: (await browser.send("Runtime.getHeapUsage")).usedSize,
      worker_heap: Number((await ofWorker("Runtime.getHeapUsage")).usedSize),
    };
  }

  const first = await page.evaluate(`ask(0, ${SETTLED})`);
  const few = await held();
  const rest = await page.evaluate(`ask(${SETTLED}, ${QUESTIONS})`);
  const many = await held();
  console.log(`after ${SETTLED} questions: ${JSON.stringify(few)}`);
  console.log(`after ${QUESTIONS} questions: ${JSON.stringify(many)}; ${Number(first) + Number(rest)} right`);
  assert.ok(few.device > 1e6, `${few.device} bytes on the device`);
  assert.equal(many.device, few.device, "bytes on the device");
  assert.equal(many.wasm, few.wasm, "wasm memory");
  for (const heap of /** @type {const} */ (["page_heap", "worker_heap"])) {
    assert.ok(few[heap] > 100_000, `${heap}: ${few[heap]} bytes`);
    assert.ok(many[heap] <= few[heap] + HEAP_SLACK_BYTES, `${heap} grew from ${few[heap]} to ${many[heap]} bytes`);
  }
  // Two of the three modes reason; the shipped pair is right nearly always then.
  assert.ok(Number(first) + Number(rest) > QUESTIONS / 2, `${Number(first) + Number(rest)} right answers`);
  await close();
});

/**
 * Speaks with the one worker of a page, which has no session of its own.
 * @param {import("playwright-core").CDPSession} session of the page
 * @returns {Promise<(method: string) => Promise<any>>}
 */
async function workerDebugger(session) {
  const attached = new Promise((/** @type {(id: string) => void} */ resolve) => session.on("Target.attachedToTarget", ({ sessionId }) => resolve(sessionId)));
  /** @type {Map<number, (result: any) => void>} */
  const waiting = new Map();
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const sessionId = await attached;
  return (method) => new Promise((resolve, reject) => {
    const id = waiting.size + 1;
    waiting.set(id, resolve);
    session.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method }) }).catch(reject);
  });
}
