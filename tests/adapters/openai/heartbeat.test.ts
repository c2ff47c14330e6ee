import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResponsesMachine } from "../../../src/adapters/openai/responses-machine.ts";
import { EventReader } from "../../../src/adapters/upstream/event-reader.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { answer } from "../../doubles/answer.ts";
import { streamHead } from "../../doubles/stream-script.ts";
import { createProviderSetup, reading } from "./provider-setup.ts";

const deltas = ["Rain ", "falls."];
const events = answer({ deltas });

const heartbeats: Readonly<Record<string, string>> = {
  "a comment": ": keep-alive\n\n",
  "an empty comment": ":\n\n",
  "a comment without an empty line": ": ping\n",
  "`data:` without a value": "data:\n\n",
  "`data:` with a space": "data: \n\n",
  "`data` without a colon": "data\n\n",
  "several empty data lines": "data:\ndata:\n\n",
  "`data: null`": "data: null\n\n",
  "`data: {}`": "data: {}\n\n",
  "`data: []`": "data: []\n\n",
  '`data: ""`': 'data: ""\n\n',
  "a bare word": "data: ping\n\n",
  "another bare word": "data: keep-alive\n\n",
  "a word as JSON": 'data: "heartbeat"\n\n',
  "a comment as data": "data: : OPENROUTER PROCESSING\n\n",
  "an event without data": "event: ping\n\n",
  "a named event": "event: ping\ndata: {}\n\n",
  "a named event with a time": 'event: heartbeat\ndata: {"time":1764442800}\n\n',
  "a named event that is no JSON": "event: keepalive\ndata: still here\n\n",
  "a type": 'data: {"type":"ping"}\n\n',
  "a type with a number": 'event: keepalive\ndata: {"type":"keepalive","sequence_number":7}\n\n',
  "CR LF": "data:\r\n\r\n",
  "only lines of other fields": "id: 7\nretry: 3000\n\n",
  "blank lines": "\n\n\n",
};

function read(text: string) {
  const reader = new EventReader(new ResponsesMachine({ includeReasoning: true }));
  const first = reader.read(Buffer.from(text));
  return { ...first, end: reader.end() };
}

describe("heartbeats are no events", () => {
  for (const [what, heartbeat] of Object.entries(heartbeats)) {
    it(`${what}: an answer with it is whole`, () => {
      const withIt = read(heartbeat + events.map((event) => event + heartbeat).join(""));
      assert.deepEqual(withIt.events, read(events.join("")).events);
      assert.equal(withIt.failure, undefined);
    });

    it(`${what}: it is no progress`, () => {
      const alone = read(heartbeat.repeat(3));
      assert.deepEqual([alone.events, alone.isProgress, alone.failure], [[], false, undefined]);
      assert.deepEqual([alone.end.events, alone.end.failure], [[], undefined]);
    });
  }

  it("an upstream that sends nothing else is silent", async () => {
    await using at = await createProviderSetup();
    at.double.respond([streamHead(), { write: Object.values(heartbeats).join("") }, { hang: true }]);
    const call = reading(at);
    await at.double.received(1);
    await at.clock.advance(60_000);
    const ended = await call.ended;
    assert.ok(ended instanceof TroupeError && ended.code === "upstream_timeout");
  });
});

describe("a broken event is no heartbeat", () => {
  for (const data of [
    "{",
    '{"type":"response.output_text.delta","delta":"Ra',
    '{"type":"ping"',
    "<html>",
    "pinging",
    "7",
    '"text"',
    "[1]",
    "undefined",
  ])
    it(`data: ${data}`, () => {
      const { failure } = read(`${events[0]}data: ${data}\n\n`);
      assert.ok(failure?.error instanceof TroupeError && failure.error.code === "upstream_invalid");
    });

  it("nor is an event of the answer that has the name of one", () => {
    const renamed = events.map((event) => event.replace(/^event: .*/, "event: ping"));
    assert.deepEqual(read(renamed.join("")).events, read(events.join("")).events);
  });
});
