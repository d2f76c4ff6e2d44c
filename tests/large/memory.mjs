// What a page and its workers hold while something runs.

/**
 * Samples the JS heaps of a page and its workers: objects and the array buffers behind them.
 * @param {import("playwright-core").Page} page
 */
export async function watchHeaps(page) {
  const session = await page.context().newCDPSession(page);
  /** Sessions of workers. @type {Set<string>} */
  const workers = new Set();
  /** @type {Map<number, (result: any) => void>} */
  const waiting = new Map();
  session.on("Target.attachedToTarget", ({ sessionId }) => workers.add(sessionId));
  session.on("Target.detachedFromTarget", ({ sessionId }) => workers.delete(sessionId));
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  let next = 1;
  const ofWorker = (/** @type {string} */ sessionId) =>
    new Promise((resolve) => {
      const id = next++;
      waiting.set(id, resolve);
      setTimeout(() => resolve(undefined), 2000);
      const message = JSON.stringify({ id, method: "Runtime.getHeapUsage" });
      session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => resolve(undefined));
    });

  const peak = { usedBytes: 0, workerSamples: 0 };
  let stopped = false;
  const sampling = (async () => {
    while (!stopped) {
      const usages = await Promise.all([session.send("Runtime.getHeapUsage").catch(() => undefined), ...[...workers].map(ofWorker)]);
      peak.workerSamples += usages.slice(1).filter(Boolean).length;
      const used = usages.reduce((sum, it) => sum + (it?.usedSize ?? 0) + (it?.backingStorageSize ?? 0), 0);
      peak.usedBytes = Math.max(peak.usedBytes, used);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    peak,
    async stop() {
      stopped = true;
      await sampling;
      await session.detach();
    },
  };
}
