import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { createTroupe } from "../../../src/compose/create-troupe.ts";
import { listen } from "../../../src/compose/listen.ts";
import { answerParent } from "./child-program.ts";

const [openaiBaseUrl = "", store = "", data = ""] = process.argv.slice(2);
const mebibyte = 1024 ** 2;
const faults: string[] = [];
const note = (fields: object, message: string) => {
  faults.push(`${message}: ${inspect(fields)}`);
};
const nothing = () => undefined;

/** Little room and no memory of what has ended, so that what is kept is soon as much as it will ever be. */
const troupe = await createTroupe({
  openaiApiKey: "test-key",
  openaiBaseUrl,
  store: store === "memory" ? "memory" : "sqlite",
  data,
  logBytes: 16 * mebibyte,
  logRetentionMs: 0,
  conversationBytes: mebibyte,
  logger: { debug: nothing, info: nothing, warn: note, error: note },
});
const listening = await listen(troupe, { host: "127.0.0.1", port: 0 });

/**
 * Several times, and with turns of the event loop between: what only a weak reference or a finalizer holds, as the signals behind
 * `AbortSignal.any` are, outlives the job that looked at it.
 */
async function collectGarbage(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error("this program needs --expose-gc");
  for (let pass = 0; pass < 4; pass += 1) {
    globalThis.gc();
    await setImmediate();
  }
}

const answers = {
  url: () => `ws://127.0.0.1:${listening.port}/ws`,
  async memory() {
    await collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    return { heapUsedBytes: heapUsed, rssBytes: rss, ...troupe.stats() };
  },
  stats: () => troupe.stats(),
  faults: () => faults,
  async close() {
    await troupe.close({ drainMs: 0 });
    await listening.stop();
  },
};
export type ServerAnswers = typeof answers;

answerParent(answers);
