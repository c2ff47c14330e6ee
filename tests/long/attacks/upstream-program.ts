import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answer, answerParts } from "../../doubles/answer.ts";
import { type AnyEvent, eventText } from "../../doubles/event-text.ts";
import { answerParent } from "../load/child-program.ts";
import { monotonicMs } from "./monotonic-ms.ts";
import { steadyWord } from "./steady-words.ts";

/** The time between two words of the steady answer. */
const intervalMs = 20;
const pieceChars = 64 * 1024;
/** An upstream that was never told to stop ends by itself after this many bytes. */
const floodBytes = 200 * 1024 ** 2;

let goesOn = true;
let steadyWords = 0;
let floodedBytes = 0;

/** Writes events of one answer, as fast as they are taken. */
function eventWriter(response: ServerResponse) {
  let number = 0;
  return async (...events: readonly AnyEvent[]): Promise<void> => {
    const text = events.map((event) => eventText(event, number++)).join("");
    if (response.destroyed || response.write(text)) return;
    await Promise.race([once(response, "drain"), once(response, "close")]);
  };
}

/** The event of a delta with another text. */
function deltaLike(events: readonly AnyEvent[], delta: string): AnyEvent {
  const found = events.find(({ type }) => type.endsWith(".delta"));
  if (found === undefined) throw new Error("the answer has no delta");
  return { ...found, delta };
}

async function answerSteadily(response: ServerResponse): Promise<void> {
  const write = eventWriter(response);
  const words: string[] = [];
  const parts = answerParts({ deltas: ["a word"] });
  await write(...parts.prologue);
  while (goesOn && !response.destroyed) {
    const word = steadyWord(words.length, monotonicMs());
    words.push(word);
    await write(deltaLike(parts.deltas, word));
    await sleep(intervalMs);
  }
  steadyWords = words.length;
  const whole = answerParts({ deltas: words });
  await write(...whole.epilogue, whole.terminal);
  response.end();
}

/** Repeats an event until the client has left. */
async function flood(response: ServerResponse, event: AnyEvent): Promise<void> {
  const write = eventWriter(response);
  await write(...answerParts().prologue.slice(0, 2));
  for (floodedBytes = 0; floodedBytes < floodBytes && !response.destroyed; floodedBytes += pieceChars)
    await write(event);
  response.destroy();
}

const piece = "x".repeat(pieceChars);
const search = { type: "web_search_call", id: "ws_1", status: "completed", action: { query: piece } };

function answerAtOnce(response: ServerResponse, chars: number): void {
  const deltas = Array.from({ length: Math.ceil(chars / pieceChars) }, () => piece);
  response.end(answer({ deltas }).join(""));
}

const endings: Readonly<Record<string, (response: ServerResponse) => Promise<void> | void>> = {
  steady: answerSteadily,
  brief: (response) => void response.end(answer({ deltas: ["An answer."] }).join("")),
  silent: () => undefined,
  long: (response) => answerAtOnce(response, 1_900_000),
  longest: (response) => answerAtOnce(response, 3_800_000),
  reasoning: (response) =>
    flood(response, { type: "response.reasoning_summary_text.delta", item_id: "rs_1", delta: piece }),
  tools: (response) => flood(response, { type: "response.output_item.done", output_index: 0, item: search }),
};

/** The question says how to answer it. */
async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let kind: string | undefined;
  for await (const bytes of request)
    kind ??= /answer: ([a-z]+)/.exec((bytes as Buffer).toString("latin1"))?.[1];
  if (kind === "refusal") {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { message: "No.", type: "invalid_request_error", code: null } }));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  await (endings[kind ?? ""] ?? endings.brief)?.(response);
}

const server = createServer((request, response) => {
  // A server under attack may break off any of these calls.
  serve(request, response).catch(() => response.destroy());
  response.on("error", () => undefined);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const answers = {
  baseUrl: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
  /** From here on steady answers run until they are told to end. */
  begin() {
    goesOn = true;
    floodedBytes = 0;
  },
  /** Ends the steady answer; settles with the number of its words. */
  async endSteady() {
    goesOn = false;
    await sleep(2 * intervalMs);
    return steadyWords;
  },
  floodedMegabytes: () => Math.round(floodedBytes / 1e6),
};
export type UpstreamAnswers = typeof answers;

answerParent(answers);
