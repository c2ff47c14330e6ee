import assert from "node:assert/strict";
import { once } from "node:events";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { WebSocket } from "ws";
import { estimateTokens } from "../../src/chat/usage.ts";
import { assembleTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { openStores } from "../../src/compose/open-stores.ts";
import type { OpenStores } from "../../src/compose/stores.ts";
import type { TurnLog } from "../../src/ports/turn-log.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { serveTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { isTerminal } from "../support/wire-client.ts";
import { createClosingUpstream } from "./closing-upstream.ts";
import { type Ending, firstByteMs, idleMs, turnLimitMs } from "./endings.ts";
import { heapInUse } from "./heap-in-use.ts";

const textChars = 1_000_000;
/** The end of a message whose last field is a text: the characters after that text. */
const endChars = '"}}'.length;
const shortTextChars = 1_000;
/** Limits so low that short requests fill the server's stores, whose size then stays the same. */
const keptBytes = { logBytes: 32 * 1024, conversationBytes: 8 * 1024 ** 2 };

export interface RunOptions {
  readonly requests: number;
  /** How often the heap is measured, after equal numbers of requests. */
  readonly looks: number;
  /** Short requests before the first measured one. They fill the stores and compile the code. */
  readonly warmUps: number;
}

/** Ends requests of 1 MB in one way, one after the other. Returns the heap in use, in bytes, at each measurement. */
export async function runEnding(ending: Ending, { requests, looks, warmUps }: RunOptions): Promise<number[]> {
  const clock = createTestClock({ instantMs: 1_000 });
  await using upstream = await createClosingUpstream();
  const settings: TroupeOptions = {
    ...{
      store: "memory" as const,
      localProviders: [],
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
      clock,
    },
    ...{ firstByteMs, idleMs, turnLimitMs, pingMs: 2 ** 31 - 1, ...keptBytes, ...ending.settings },
  };
  const open = ending.losesStorage === true ? openFailing : openStores;
  await using server = await serveTroupe(await assembleTroupe(settings, open));
  const socket = new WebSocket(server.url, { perMessageDeflate: false });
  await once(socket, "open");
  let onMessage: (message: ServerMessage) => void = () => undefined;
  socket.on("message", (data) => onMessage(JSON.parse(String(data))));

  function endOf(id: string, text: Buffer): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { type = "openai_chat", act, answerTokens } = ending;
    const budget =
      answerTokens === undefined ? {} : { budget_tokens: estimateTokens(text.length) + answerTokens };
    async function play(): Promise<void> {
      if (act === undefined) return;
      if (act.what === "cancel") socket.send(JSON.stringify({ type: "cancel", data: { request_id: id } }));
      else await clock.advance(act.what.waitMs);
    }
    let hasBegun = false;
    if (act?.when === "asked") void upstream.asked().then(play);
    onMessage = (message) => {
      if (message.type === "error") resolve(message.code);
      else if (isTerminal(message) && message.type === "response") resolve(message.finish_reason);
      else if (message.type === "chunk" && !hasBegun) {
        hasBegun = true;
        if (act?.when === "begun") void play();
      }
    };
    const field = type === "openai_chat" ? "input_text" : "message";
    const message = JSON.stringify({ type, id, data: { ...ending.data, ...budget, [field]: "" } });
    const [head, tail] = [message.slice(0, -endChars), message.slice(-endChars)];
    socket.send(Buffer.concat([Buffer.from(head), text, Buffer.from(tail)]), { binary: false });
    return promise;
  }

  async function end(id: string, text: Buffer): Promise<void> {
    assert.equal(await endOf(id, text), ending.end);
    while (server.troupe.stats().turns > 0) await nextLoopTurn();
  }

  const short = Buffer.alloc(shortTextChars, "words ");
  for (let count = 1; count <= warmUps; count += 1) await end(`w-${count}`, short);
  const long = Buffer.alloc(textChars, "words ");
  const heaps: number[] = [];
  for (let count = 1; count <= requests; count += 1) {
    await end(`r-${count}`, long);
    if (count % Math.floor(requests / looks) === 0) heaps.push(await heapInUse());
  }
  socket.terminate();
  return heaps;
}

/** Logs in memory that can be written until the first words are to be stored. */
const openFailing: OpenStores = async (settings, listeners) => {
  const stores = await openStores(settings, listeners);
  const { logs } = stores;
  return {
    ...stores,
    logs: {
      ...logs,
      get bytes() {
        return logs.bytes;
      },
      get count() {
        return logs.count;
      },
      async create(...asked) {
        const created = await logs.create(...asked);
        return created.type === "created" ? { ...created, log: failingLog(created.log) } : created;
      },
    },
  };
};

function failingLog(log: TurnLog): TurnLog {
  return {
    get headSeq() {
      return log.headSeq;
    },
    get ended() {
      return log.ended;
    },
    get isFull() {
      return log.isFull;
    },
    get unkept() {
      return log.unkept;
    },
    async append(steps) {
      const isKept = steps.every(({ type }) => type === "status" || type === "failure");
      if (!isKept && !steps.some(({ type }) => type === "failure"))
        throw new TroupeError("storage_unavailable", { cause: new Error("No room is left.") });
      await log.append(steps);
    },
    open: (after, wake) => log.open(after, wake),
    leave: () => log.leave(),
  };
}
