import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, it } from "node:test";
import { FastReads } from "../../../../src/adapters/upstream/fast/fast-reads.ts";
import { createUpstreamAgents, HttpCall } from "../../../../src/adapters/upstream/upstream-call.ts";
import { streamScript } from "../../../doubles/stream-script.ts";
import { createUpstreamDouble } from "../../../doubles/upstream-double.ts";
import { readBody } from "../read-body.ts";

const whole = { readStart: () => 0, readStop: () => 0, fd: 7 };

/** A socket with these parts, and with the listener of a parser unless it is left out. */
function socketWith(handle: object | null, { hasParser = true, destroyed = false } = {}): Socket {
  const socket = Object.assign(new EventEmitter(), { _handle: handle, destroyed });
  if (hasParser) socket.on("data", () => undefined);
  return socket as unknown as Socket;
}

describe("fast reads", () => {
  const lacking: readonly [string, Socket, RegExp][] = [
    ["no handle", socketWith(null), /lacks the handle of a socket/],
    ["no readStart", socketWith({ ...whole, readStart: undefined }), /lacks readStart/],
    ["no readStop", socketWith({ ...whole, readStop: undefined }), /lacks readStop/],
    ["a parser that takes bytes elsewhere", socketWith(whole, { hasParser: false }), /lacks the listener/],
  ];
  for (const [what, socket, warning] of lacking)
    it(`turn themselves off with one warning at a connection with ${what}`, () => {
      const warnings: string[] = [];
      const fastReads = new FastReads({ onMissing: (line) => warnings.push(line) });
      assert.notEqual(fastReads.open(socketWith(whole)), undefined);
      assert.equal(fastReads.open(socket), undefined);
      assert.equal(fastReads.open(socket), undefined);
      assert.equal(fastReads.open(socketWith(whole)), undefined);
      assert.equal(socket.listenerCount("data"), what.startsWith("a parser") ? 0 : 1);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? "", warning);
    });

  it("do not judge Node by a connection that is closed already", () => {
    const fastReads = new FastReads({ onMissing: assert.fail });
    fastReads.open(socketWith(null, { destroyed: true }));
    assert.notEqual(fastReads.open(socketWith(whole)), undefined);
  });

  it("find all that they need in this release of Node", async () => {
    await using double = await createUpstreamDouble();
    double.respond(streamScript(["one ", "two"]));
    using agents = createUpstreamAgents({}, new FastReads({ onMissing: assert.fail }));
    const call = new HttpCall(agents);
    await call.fetch(`${double.baseUrl}/responses`, { method: "POST" });
    const pieces: Uint8Array[] = [];
    for await (const piece of readBody(call)) pieces.push(piece);
    assert.equal(Buffer.concat(pieces).toString(), "one two");
    await call.close();
  });
});
