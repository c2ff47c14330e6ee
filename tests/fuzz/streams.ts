import type { ServerMessage } from "../../src/protocol/server-messages.ts";

type Of<T extends ServerMessage["type"]> = Extract<ServerMessage, { type: T }>;
type Numbered = Of<
  "status" | "chunk" | "reasoning" | "tool" | "source" | "persona_response" | "response" | "error"
>;

interface Stream {
  nextSeq: number;
  ended: boolean;
  /** Whether all messages from the first one on were seen. */
  whole: boolean;
  text: string;
  finalLanes: Set<string | undefined>;
}

/** Checks the messages of each request on one connection: numbers without gaps, one terminal message, texts that add up. */
export function createStreams() {
  const streams = new Map<string, Stream>();
  /** Numbers at which a request's messages may start again, besides the one after the last. */
  const starts = new Map<string, Set<number>>();

  function begin(requestId: string, nextSeq: number): Stream {
    const stream = { nextSeq, ended: false, whole: nextSeq === 1, text: "", finalLanes: new Set<string>() };
    streams.set(requestId, stream);
    return stream;
  }

  function numbered(message: Numbered, id: string, seq: number): void {
    let stream = streams.get(id);
    if (stream?.nextSeq !== seq) {
      if (seq !== 1 && starts.get(id)?.has(seq) !== true)
        throw new Error(`a gap: ${JSON.stringify(message)}`);
      stream = begin(id, seq);
    }
    if (stream.ended) throw new Error(`after the end: ${JSON.stringify(message)}`);
    stream.nextSeq = seq + 1;
    if (message.type === "chunk") {
      stream.text += message.chunk;
      if (stream.finalLanes.has(message.persona_id))
        throw new Error(`after the final chunk: ${message.chunk}`);
      if (message.is_final) stream.finalLanes.add(message.persona_id);
    }
    if (message.type !== "response" && message.type !== "error") return;
    stream.ended = true;
    if (message.type === "response" && stream.whole) compareText(message, stream.text);
  }

  return {
    /** Takes a message of a request and ignores all others. Throws if the message may not come now. */
    accept(message: ServerMessage): void {
      if (message.type === "resumed") {
        const stream = streams.get(message.request_id) ?? begin(message.request_id, -1);
        if (message.state === "ended") stream.ended = true;
      } else if (message.type === "reset") {
        // No server is interrupted here, so no `reset` has a number of its own.
        begin(message.request_id, Number(message.through_seq) + 1);
      } else if ("seq" in message && message.seq !== undefined && message.request_id !== undefined) {
        numbered(message, message.request_id, message.seq);
      }
    },
    /** Allows the messages of this request to start with this number. */
    mayStartAt(requestId: string, seq: number): void {
      starts.set(requestId, (starts.get(requestId) ?? new Set()).add(seq));
    },
    has: (requestId: string) => streams.has(requestId),
    ids: () => [...streams.keys()],
    /** A request whose end has not arrived yet. */
    unended: () => [...streams].find(([, { ended }]) => !ended)?.[0],
  };
}

function compareText({ data, request_type, request_id }: Of<"response">, text: string): void {
  if (request_type === "multi_chat") return;
  const answer = "output_text" in data ? data.output_text : "response" in data ? data.response : undefined;
  if (answer !== text) throw new Error(`the chunks of ${request_id} are not its answer`);
}
