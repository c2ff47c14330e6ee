import { once } from "node:events";
import { WebSocket } from "ws";
import { answerParent } from "../load/child-program.ts";
import { monotonicMs } from "./monotonic-ms.ts";
import { sentAtMsIn } from "./steady-words.ts";
import { type Stall, watchStalls } from "./watch-stalls.ts";

/** The time between two chunks, and the time between the moments at which the provider sent them. */
export interface Gap extends Stall {
  readonly sentGapMs: number;
}

export interface NeighbourReport {
  readonly gaps: readonly Gap[];
  /** The times when the neighbour's own process was late. */
  readonly stalls: readonly Stall[];
  /** The whole answer, from its chunks and from the last message. */
  readonly text: string;
  readonly finalText: string | undefined;
  readonly end: string;
}

/** Shorter gaps are the rhythm of the answer. */
const minGapMs = 60;
/** Not the attackers' address, because some limits apply to an address. */
const localAddress = "127.0.0.2";

const own = watchStalls();
let report: Promise<NeighbourReport> | undefined;

async function follow(socket: WebSocket, onFirst: () => void): Promise<NeighbourReport> {
  const gaps: Gap[] = [];
  let text = "";
  let last: { readonly atMs: number; readonly sentAtMs: number } | undefined;
  const ended = Promise.withResolvers<NeighbourReport>();
  const end = (reason: string, finalText?: string) =>
    ended.resolve({ gaps, stalls: own.take(), text, finalText, end: reason });
  socket.on("message", (data) => {
    const atMs = monotonicMs();
    const message = JSON.parse(String(data));
    if (message.type === "chunk") {
      const sentAtMs = sentAtMsIn(message.chunk);
      if (last !== undefined && atMs - last.atMs > minGapMs && sentAtMs !== undefined)
        gaps.push({ fromMs: last.atMs, toMs: atMs, sentGapMs: sentAtMs.first - last.sentAtMs });
      text += message.chunk;
      if (sentAtMs !== undefined) last = { atMs, sentAtMs: sentAtMs.last };
      onFirst();
    } else if (message.type === "response") end(message.status, message.data.output_text);
    else if (message.type === "error") end(message.code);
  });
  socket.on("close", (code) => end(`closed with ${code}`));
  return ended.promise;
}

const answers = {
  /** Asks for the steady answer; settles with its first words. */
  async begin(url: string, key: string) {
    own.take();
    const headers = { authorization: `Bearer ${key}` };
    const socket = new WebSocket(url, { perMessageDeflate: false, headers, localAddress });
    socket.on("error", () => undefined);
    await once(socket, "open");
    const first = Promise.withResolvers<void>();
    report = follow(socket, first.resolve);
    const data = { input_text: "answer: steady", pacing: { mode: "raw" } };
    socket.send(JSON.stringify({ type: "openai_chat", id: "neighbour", data }));
    await Promise.race([
      first.promise,
      report.then(({ end }) => Promise.reject(new Error(`the neighbour was not answered: ${end}`))),
    ]);
  },
  async report() {
    if (report === undefined) throw new Error("the neighbour has not asked");
    return await report;
  },
};
export type NeighbourAnswers = typeof answers;

answerParent(answers);
