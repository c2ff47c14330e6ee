import { inspect } from "node:util";
import { writeHeapSnapshot } from "node:v8";
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

/** Little room and a short memory, so that what is kept is soon as much as it will ever be. */
const troupe = await createTroupe({
  openaiApiKey: "test-key",
  openaiBaseUrl,
  store: store === "memory" ? "memory" : "sqlite",
  data,
  logBytes: 16 * mebibyte,
  logRetentionMs: 2_000,
  conversationBytes: 2 * mebibyte,
  logger: { debug: nothing, info: nothing, warn: note, error: note },
});
const listening = await listen(troupe, { host: "127.0.0.1", port: 0 });

/** Twice, since the first pass only finds what has a finalizer. */
function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error("this program needs --expose-gc");
  globalThis.gc();
  globalThis.gc();
}

const answers = {
  url: () => `ws://127.0.0.1:${listening.port}/ws`,
  memory() {
    collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    return { heapUsedBytes: heapUsed, rssBytes: rss, ...troupe.stats() };
  },
  stats: () => troupe.stats(),
  faults: () => faults,
  snapshot: () => writeHeapSnapshot(),
  async close() {
    await troupe.close({ drainMs: 0 });
    await listening.stop();
  },
};
export type ServerAnswers = typeof answers;

answerParent(answers);
