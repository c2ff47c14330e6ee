import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type DefaultPacing, readAsk } from "../../src/doors/websocket/read-ask.ts";
import { type Decoded, decodeClientMessage } from "../../src/protocol/decode.ts";
import { contentHash } from "../../src/server/start-turn.ts";
import { processorTimeOf } from "../support/processor-time.ts";
import { costlyFrames } from "./costly-frames.ts";
import type { DecodeCost } from "./decode-cost.ts";

// Runs in its own process with so large a young generation that no collection happens, so the heap's growth is the memory
// allocated. Prints one line of JSON for each frame.

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const defaults: DefaultPacing = {
  mode: "natural",
  chunkChars: { responses: 50, personas: 30 },
  intervalMs: 100,
  maxLagMs: 400,
};
const digest = (text: string) => createHash("sha256").update(text).digest("hex");
/** Enough to see that a frame is cheap. */
const roughMs = 12;
/** Enough to tell a cost apart from twice as much, however coarse the system counts. */
const exactMs = 60;
const plainFrame = JSON.stringify({ type: "openai_chat", data: { input_text: "x".repeat(1_000_000) } });

/** Everything that is done with a frame before a request is looked up or started. */
function read(text: string): Decoded {
  const decoded = decodeClientMessage(text);
  if (!decoded.ok) return decoded;
  const { message } = decoded;
  if (message.type === "openai_chat" || message.type === "chat" || message.type === "multi_chat")
    contentHash(readAsk(message, defaults).content, digest);
  return decoded;
}

/** Parses the text. Finding that it is not JSON takes time as well. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}

function bytesOf(work: () => unknown): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  work();
  return process.memoryUsage().heapUsed - before;
}

for (let count = 0; count < 20; count += 1) read(plainFrame);
const plain = await processorTimeOf(() => read(plainFrame), exactMs);

for (const { type, path, value, frame } of costlyFrames(Number(process.argv[2]))) {
  const text = Buffer.from(frame.bytes).toString("utf8");
  let decoded: Decoded | undefined;
  const bytes = bytesOf(() => {
    decoded = read(text);
  });
  const rough = await processorTimeOf(() => read(text), roughMs);
  const isCheap = rough <= plain;
  const microseconds = isCheap ? rough : await processorTimeOf(() => read(text), exactMs);
  const allowed = isCheap ? plain : plain + (await processorTimeOf(() => parse(text), exactMs));
  const cost: DecodeCost = {
    name: `${type} ${path}: ${value}`,
    frameBytes: frame.bytes.length,
    ...(decoded === undefined || decoded.ok
      ? {}
      : { code: decoded.error.code, field: decoded.error.field, detail: decoded.error.detail }),
    path,
    microseconds,
    allowed,
    bytes,
  };
  console.log(JSON.stringify(cost));
}
