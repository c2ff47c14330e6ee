import type { Wire, WireContext, WireReader } from "./connection.ts";
import { composeFrame, opcodes, readFrame } from "./frames.ts";
import type { Target } from "./target.ts";

/** The wires by which a target can be asked. */
export const wires: Readonly<Record<Target["wire"], Wire>> = {
  http: {
    greet: ({ ready }) => ready(),
    ask: ({ target, write }) => write(composeRequest("POST", target)),
    createReader: createEventStreamReader,
  },
  websocket: {
    greet: ({ target, write }) => write(composeRequest("GET", target)),
    ask: ({ target, write }) => write(textFrame(target.question)),
    createReader: (context) => createFrameReader(context, context.ready),
  },
  "socket.io": {
    greet: ({ target, write }) => write(composeRequest("GET", target)),
    ask: ({ target, write }) => write(textFrame(target.question)),
    createReader: (context) => createFrameReader(context, () => undefined, answerEngine),
  },
};

const websocketHeaders = {
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

function composeRequest(method: "GET" | "POST", { path, port, headers, question }: Target): Buffer {
  const body = method === "POST" ? question : "";
  const lines = Object.entries({
    host: `127.0.0.1:${port}`,
    ...(method === "GET"
      ? websocketHeaders
      : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}

const textFrame = (text: string) => composeFrame(opcodes.text, Buffer.from(text));

/** Counts each read as a chunk. Checks the status in the first read only. */
function createEventStreamReader({ target, tally, fail }: WireContext): WireReader {
  let isFirst = true;
  return {
    read(data, nowMs) {
      if (isFirst && !data.toString("latin1", 0, 15).startsWith("HTTP/1.1 200"))
        fail(`answered ${data.toString("latin1", 0, 200)}`);
      isFirst = false;
      return tally.countChunk(data, { start: 0, end: data.length, nowMs, rhythmMs: target.rhythmMs });
    },
  };
}

/** Counts each text frame as a chunk. `onText` may claim a frame that carries no tokens. */
function createFrameReader(
  context: WireContext,
  onUpgraded: () => void,
  onText: (text: Buffer, context: WireContext) => boolean = () => false,
): WireReader {
  const { target, tally, write, fail } = context;
  let isUpgraded = false;
  return {
    read(data, nowMs) {
      let offset = 0;
      if (!isUpgraded) {
        const headEnd = data.indexOf("\r\n\r\n");
        if (headEnd < 0) return 0;
        if (!data.toString("latin1", 0, 12).endsWith("101"))
          fail(`refused: ${data.toString("latin1", 0, 200)}`);
        isUpgraded = true;
        onUpgraded();
        offset = headEnd + 4;
      }
      for (let frame = readFrame(data, offset); frame !== undefined; frame = readFrame(data, offset)) {
        const { opcode, start, end } = frame;
        offset = end;
        if (opcode === opcodes.ping) write(composeFrame(opcodes.pong, data.subarray(start, end)));
        else if (opcode === opcodes.close) fail("closed by the target");
        else if (!onText(data.subarray(start, end), context))
          tally.countChunk(data, { start, end, nowMs, rhythmMs: target.rhythmMs });
      }
      return offset;
    },
  };
}

/**
 * Answers the messages of Engine.IO and Socket.IO that are not events: open, ping, and the connection of the namespace
 * (protocols 4 and 5).
 */
function answerEngine(text: Buffer, { write, ready }: WireContext): boolean {
  if (text[0] === 0x30) write(textFrame("40"));
  else if (text[0] === 0x32) write(textFrame("3"));
  else if (text[0] === 0x34 && text[1] === 0x30) ready();
  else return false;
  return true;
}
