// A page with an empty cache, from which models are loaded and given back again.

/**
 * @typedef {object} Outcome
 * @property {any[]} progress
 * @property {any} last
 * @property {{ kind: string, reason: string | null }} storage
 * @property {string} name of the model
 * @property {number} wasmBytes
 * @property {{ name: string, code: string, message: string } | null} error
 */

/**
 * @param {Awaited<ReturnType<import("./harness.mjs").startHarness>>} harness
 * @param {(page: import("playwright-core").Page) => Promise<void>} [prepare]
 */
export async function openLoadPage(harness, prepare) {
  const opened = await harness.open({ query: "MODEL_CARD.md", prepare });
  return {
    ...opened,
    /**
     * What becomes of a load.
     * @param {string} model JavaScript that gives what is loaded
     * @param {{ abortAtBytes?: number }} [options]
     * @returns {Promise<Outcome>}
     */
    load: (model, { abortAtBytes = Infinity } = {}) =>
      opened.page.evaluate(`(async () => {
        const { SemCoT } = await import("/www/semcot.js");
        const progress = [];
        const controller = new AbortController();
        const onProgress = (step) => {
          progress.push(step);
          if (["download", "verify"].includes(step.phase) && step.loadedBytes >= ${abortAtBytes}) controller.abort();
        };
        try {
          const engine = await SemCoT.load(${model}, { device: "gpu", onProgress, signal: controller.signal });
          const { storage, name } = engine.info;
          const wasmBytes = await engine.wasmMemoryBytes();
          await engine.dispose();
          return { progress, storage, name, wasmBytes, last: progress.at(-1), error: null };
        } catch ({ name, code, message }) {
          return { progress, last: progress.at(-1), error: { name, code, message } };
        }
      })()`),
  };
}

/** For a worker: destroys the last device, or ends the worker, when it is told so by the channel `test`. */
export const OBEY = `{
  const request = GPUAdapter.prototype.requestDevice;
  let last;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    return (last = await request.apply(this, args));
  };
  new BroadcastChannel("test").onmessage = ({ data }) => (data === "destroy" ? last.destroy() : close());
}`;

/**
 * Puts a script before the worker's own.
 * @param {import("playwright-core").Page} page
 * @param {string} script
 */
export async function beforeTheWorker(page, script) {
  await page.route("**/www/worker.js", async (route) => {
    const body = await (await route.fetch()).text();
    await route.fulfill({ body: `${script}\n${body}`, contentType: "text/javascript" });
  });
}
