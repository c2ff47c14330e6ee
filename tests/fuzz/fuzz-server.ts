import assert from "node:assert/strict";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { exchange, type FrameTarget } from "./exchange.ts";
import { knownConversationId, knownRequestId, plainData } from "./field-frames.ts";
import { textFrame } from "./frame.ts";

export interface FuzzServer extends FrameTarget, AsyncDisposable {
  /** What the server reported as its own fault, and what nobody caught in its process. */
  readonly faults: readonly unknown[];
}

/** Longest rhythm that a client may ask for: up to it, waiting takes no time. */
const longestIntervalMs = 10_000;

/** A real server on the demonstration, with one request in it that has ended. Disposing throws the faults, if there were any. */
export async function startFuzzServer(): Promise<FuzzServer> {
  const faults: unknown[] = [];
  const note = (fault: unknown) => {
    faults.push(fault);
  };
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
  const nothing = () => undefined;
  const server = await startTroupe({
    clock: createTestClock({ instantMs: longestIntervalMs }),
    logger: { debug: nothing, info: nothing, warn: note, error: note },
  });
  const target = {
    url: server.url,
    known: new Set<string>(),
    turns: () => server.troupe.stats().turns,
    faults,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      process.off("uncaughtException", note);
      process.off("unhandledRejection", note);
      assert.deepEqual(faults, []);
    },
  };
  const chat = JSON.stringify({ type: "chat", id: knownRequestId, data: plainData.chat });
  const follow = JSON.stringify({ type: "follow", data: { conversation_id: knownConversationId } });
  const { accepted } = await exchange([textFrame(chat), textFrame(follow)], target);
  assert.equal(accepted, 2, "the request that the frames speak of exists");
  return target;
}
