import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { exchange, type FrameTarget } from "./exchange.ts";
import { knownConversationId, knownRequestId, plainData } from "./field-frames.ts";
import { textFrame } from "./frame.ts";

/** Maximum interval that a client may ask for. Waits up to it take no time. */
const maxIntervalMs = 10_000;

/**
 * A real server with the demonstration's provider and one request that has ended. Its faults are the errors that it
 * logged and the uncaught errors of its process.
 */
export async function startFuzzServer(options: TroupeOptions = {}): Promise<FrameTarget & AsyncDisposable> {
  let faults: string[] = [];
  const note = (fault: unknown) => {
    faults.push(inspect(fault));
  };
  process.on("uncaughtException", note);
  process.on("unhandledRejection", note);
  const nothing = () => undefined;
  const clock = createTestClock({ instantMs: maxIntervalMs });
  const server = await startTroupe({
    // A client may ask for half a millisecond, but a wall clock counts whole ones.
    clock: { ...clock, wallTimeMs: () => Math.floor(clock.wallTimeMs()) },
    logger: { debug: nothing, info: nothing, warn: note, error: note },
    ...options,
  });
  const target = {
    url: server.url,
    known: new Set<string>(),
    forgets: options.store === "memory",
    turns: () => server.troupe.stats().turns,
    takeFaults() {
      const taken = faults;
      faults = [];
      return taken;
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      process.off("uncaughtException", note);
      process.off("unhandledRejection", note);
    },
  };
  await using untilReady = new AsyncDisposableStack();
  untilReady.use(target);
  const chat = JSON.stringify({ type: "chat", id: knownRequestId, data: plainData.chat });
  const follow = JSON.stringify({ type: "follow", data: { conversation_id: knownConversationId } });
  const { accepted } = await exchange([textFrame(chat), textFrame(follow)], target);
  assert.equal(accepted, 2, "the request that the frames speak of exists");
  untilReady.move();
  return target;
}
