import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { IncomingMessage } from "node:http";
import net, { type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChunkSkimmer, FastReads } from "../../../../src/adapters/upstream/fast/fast-reads.ts";
import { createUpstreamAgents, HttpCall } from "../../../../src/adapters/upstream/upstream-call.ts";
import { readBody } from "../read-body.ts";

/** A server that answers with these bytes, each piece in its own packet. */
async function serve(fastReads = new FastReads()) {
  let pieces: readonly Buffer[] = [];
  let connections = 0;
  const server = net.createServer({ noDelay: true }, (socket) => {
    connections += 1;
    socket.on("error", () => socket.destroy());
    socket.on("data", async () => {
      for (const piece of pieces) {
        socket.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const agents = createUpstreamAgents({}, fastReads);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    agents,
    get connections() {
      return connections;
    },
    answerWith(next: readonly Buffer[]) {
      pieces = next;
    },
    [Symbol.dispose]() {
      agents[Symbol.dispose]();
      server.close();
    },
  };
}

async function read({ url, agents }: { url: string; agents: ReturnType<typeof createUpstreamAgents> }) {
  const call = new HttpCall(agents);
  try {
    await call.fetch(url);
    const pieces: Uint8Array[] = [];
    for await (const piece of readBody(call)) pieces.push(piece);
    call.release();
    return Buffer.concat(pieces).toString();
  } catch (error) {
    await call.close();
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const framed = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

const anyChunk = fc
  .array(fc.constantFrom("data: a\n\n", "\r\n", "0\r\n\r\n", "雨", "5\r\nhello\r\n", "x".repeat(300)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(""));
const anyFraming = fc.constantFrom(
  framed,
  framed,
  framed,
  (text: string) => `00${framed(text)}`,
  (text: string) => framed(text).replace("\r\n", ";name=value\r\n"),
  (text: string) => framed(text).replace(/^[0-9a-f]+/, (size) => size.toUpperCase()),
);

function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set(cuts.map((cut) => cut % bytes.length)), bytes.length].sort((a, b) => a - b);
  return ends
    .map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
    .filter((piece) => piece.length > 0);
}

/** A connection in the middle of an answer, with the bytes that its parser was given since. */
function answeringSocket() {
  const socket = new EventEmitter();
  const parsed: Buffer[] = [];
  const answer = {
    ...{ headers: { "transfer-encoding": "chunked" }, complete: false },
    ...{ readableFlowing: true, readableLength: 0 },
  };
  socket.on("data", (bytes: Buffer) => {
    if (bytes.includes("HTTP/1.1")) skimmer.accept(answer as unknown as IncomingMessage);
    else parsed.push(bytes);
  });
  const skimmer = new ChunkSkimmer(socket as net.Socket);
  const taken: string[] = [];
  skimmer.deliverTo(
    (payload) => taken.push(payload.toString()),
    () => undefined,
  );
  socket.emit("data", Buffer.from(head));
  return { socket, parsed, taken };
}

describe("a body in chunks", () => {
  it("goes past the parser in whole plain chunks of any size, in either case", () => {
    const { socket, parsed, taken } = answeringSocket();
    for (let size = 1; size <= 300; size += 1)
      for (const digits of [size.toString(16), size.toString(16).toUpperCase()]) {
        const text = "x".repeat(size);
        socket.emit("data", Buffer.from(`${digits}\r\n${text}\r\n`));
        assert.equal(taken.pop(), text, digits);
      }
    assert.deepEqual(parsed, []);
    const end = Buffer.from("0\r\n\r\n");
    socket.emit("data", end);
    assert.deepEqual([taken, parsed], [[], [end]]);
  });

  for (const isOn of [true, false])
    it(`is the same however it is framed and cut, and leaves its connection to the next call, fast reads ${isOn ? "on" : "off"}`, async () => {
      using server = await serve(new FastReads({ isOn }));
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(anyChunk, anyFraming), { maxLength: 8 }),
          fc.array(fc.nat({ max: 3_000 }), { maxLength: 12 }),
          fc.constantFrom("0\r\n\r\n", "0\r\nTrailer: 1\r\n\r\n", "000\r\n\r\n"),
          async (chunks, cuts, end) => {
            const body = chunks.map(([text, frame]) => frame(text)).join("");
            server.answerWith(cutAt(Buffer.from(`${head}${body}${end}`), cuts));
            assert.equal(await read(server), chunks.map(([text]) => text).join(""));
          },
        ),
        { seed: 20_261_124, numRuns: 300 },
      );
      assert.equal(server.connections, 1);
    });

  it("fails if its framing is broken", async () => {
    using server = await serve();
    for (const broken of ["xyz\r\n", "5\r\nhello world\r\n", "-1\r\n", "5 \n\r\nhello\r\n"]) {
      server.answerWith([Buffer.from(head), Buffer.from(framed("good")), Buffer.from(broken)]);
      assert.match(await read(server), /^HPE_|ECONNRESET/, broken);
    }
  });
});
