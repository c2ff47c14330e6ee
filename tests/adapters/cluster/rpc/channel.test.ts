import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextLoopTurn } from "node:timers/promises";
import { z } from "zod";
import { createChannel } from "../../../../src/adapters/cluster/rpc/channel.ts";
import { type Methods, remotePort, servePort } from "../../../../src/adapters/cluster/rpc/remote-port.ts";
import { TroupeError } from "../../../../src/protocol/errors.ts";
import { createTestClock } from "../../../support/test-clock.ts";
import { createLinePair } from "./line-pair.ts";

interface Echo {
  say(text: string): Promise<string>;
}
const echoMethods: Methods<Echo> = { say: [z.tuple([z.string()]), z.string()] };

/** Opens both sides of a channel; the first serves an echo. */
function openChannels({ speaksSecond = false }: { speaksSecond?: boolean } = {}) {
  const line = createLinePair();
  const clock = createTestClock();
  const here = createChannel({ line: line.ends[0], clock, gatherMs: 10 });
  const there = createChannel({ line: line.ends[1], clock, gatherMs: 10, speaksSecond });
  servePort<Echo>(here, "echo", echoMethods, {
    async say(text) {
      if (text === "refuse") throw new TroupeError("overloaded", { detail: "Full." });
      if (text === "fail") throw new RangeError("broken");
      return text;
    },
  });
  return { line, clock, here, there, echo: remotePort<Echo>(there, "echo", echoMethods) };
}

test("answers, refusals and failures arrive unchanged", async () => {
  const { echo } = openChannels();
  assert.equal(await echo.say("naïve 😀"), "naïve 😀");
  await assert.rejects(
    echo.say("refuse"),
    (error) => error instanceof TroupeError && error.code === "overloaded" && error.detail === "Full.",
  );
  await assert.rejects(echo.say("fail"), { name: "RangeError", message: "broken" });
});

test("a message that the schemas do not allow is refused, and so is a call without a server", async () => {
  const { there } = openChannels();
  await assert.rejects(there.ask("echo", "say", [1]));
  await assert.rejects(there.ask("echo", "constructor", ["x"]), /no method constructor/);
  await assert.rejects(there.ask("other", "say", ["x"]), /nobody serves other/);
});

test("an answer that the schema does not allow fails its call, and no other", async () => {
  const { here, there, echo } = openChannels();
  here.serve("counter", (method) => (method === "say" ? 7 : undefined));
  const counter = remotePort<Echo>(there, "counter", echoMethods);
  await assert.rejects(counter.say("x"), { name: "ZodError" });
  assert.equal(await echo.say("still"), "still");
});

test("messages of one turn of the loop are sent as one, and messages that can wait go with them", async () => {
  const { line, there, clock } = openChannels();
  const soon = there.ask("echo", "say", ["soon"], true);
  await nextLoopTurn();
  assert.equal(line.messages, 0);
  const asked = ["a", "b", "c"].map((text) => there.ask("echo", "say", [text]));
  assert.deepEqual(await Promise.all([soon, ...asked]), ["soon", "a", "b", "c"]);
  assert.equal(line.messages, 2);
  const alone = there.ask("echo", "say", ["alone"], true);
  await clock.advance(10);
  assert.equal(await alone, "alone");
});

test("other messages on the same line are left alone", async () => {
  const { line, echo } = openChannels();
  for (const foreign of [undefined, "text", { troupe: [{ type: "shout" }] }, { cmd: "other" }])
    line.ends[1].send(foreign);
  assert.equal(await echo.say("still"), "still");
});

test("a frame with a fault ends the call that it is about, and no other", async () => {
  const { line, there, here, echo } = openChannels();
  here.serve("silence", () => new Promise(() => undefined));
  const calls = [1, 2, 3].map(() => there.ask("silence", "keep", []));
  const said = echo.say("beside");
  for (let turn = 0; turn < 5; turn += 1) await nextLoopTurn();
  line.ends[0].send({
    troupe: [
      { type: "answer", call: "one", value: 1 },
      { type: "refusal", call: 1, error: 7 },
      { type: "refusal", call: 2, error: "{" },
      { type: "refusal", call: 3, error: '{"troupe_error":7}' },
      7,
    ],
  });
  for (const call of calls) await assert.rejects(call, /cannot be read/);
  assert.equal(await said, "beside");
  assert.equal(await echo.say("still"), "still");
});

test("a call with a fault is refused", async () => {
  const { line, there } = openChannels();
  const answered = Promise.withResolvers<unknown>();
  line.ends[1].onMessage(answered.resolve);
  line.ends[1].send({ troupe: [{ type: "ask", call: 9, port: "echo", method: "say", values: "x" }] });
  assert.match(JSON.stringify(await answered.promise), /"refusal","call":9.*cannot be read/);
  assert.equal(there.ended.aborted, false);
});

test("the side that speaks second waits until the other has spoken", async () => {
  const { line, here, echo } = openChannels({ speaksSecond: true });
  const said = echo.say("late");
  for (let turn = 0; turn < 5; turn += 1) await nextLoopTurn();
  assert.equal(line.messages, 0);
  await assert.rejects(here.ask("nothing", "at all", []), /nobody serves nothing/);
  assert.equal(await said, "late");
});

test("when the line ends, open calls and later ones reject", async () => {
  const { line, here, there } = openChannels();
  here.serve("silence", () => new Promise(() => undefined));
  const asked = there.ask("silence", "keep", []);
  await nextLoopTurn();
  line.cut();
  await assert.rejects(asked, /gone/);
  await assert.rejects(there.ask("echo", "say", ["x"]), /gone/);
  assert.ok(there.ended.aborted);
});
