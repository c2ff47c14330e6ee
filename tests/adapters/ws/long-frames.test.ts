import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { WebSocket } from "ws";
import { encodeTextFrames, WsSocket } from "../../../src/adapters/ws/ws-socket.ts";

/** A connection that takes no bytes, and the list of its writes. */
function stalledStream() {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    writev(chunks) {
      written.push(...chunks.map(({ chunk }) => chunk as Buffer));
    },
    write(chunk: Buffer) {
      written.push(chunk);
    },
  });
  return { stream, written };
}

/** `send` reads only the state of a WebSocket. */
const open = { readyState: WebSocket.OPEN, OPEN: WebSocket.OPEN } as WebSocket;

for (const bytes of [0, 125, 126, 65_535, 65_536, 300_000]) {
  test(`a message of ${bytes} bytes that sockets share is written from the same memory, with a head of its own`, () => {
    const shared = Buffer.from("é".repeat(bytes / 2) + (bytes % 2 === 1 ? "x" : ""));
    assert.equal(shared.length, bytes);
    for (let sockets = 0; sockets < 2; sockets += 1) {
      const { stream, written } = stalledStream();
      const socket = new WsSocket(open, stream);
      assert.equal(
        socket.send(["before", shared, "after"], () => undefined),
        false,
      );
      const texts = ["before", shared.toString(), "after"];
      const frames = encodeTextFrames(texts);
      assert.ok(Buffer.concat(written).equals(frames));
      assert.ok(bytes === 0 || written.some((piece) => piece.buffer === shared.buffer));
    }
  });
}
