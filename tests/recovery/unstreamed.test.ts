import assert from "node:assert/strict";
import { it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const personas = ["teacher", "skeptic"];
const frame = {
  ...{ type: "multi_chat", id: "whole" },
  data: { message: "Hi", persona_ids: personas, stream: false },
};

function checkHasNoChunks(messages: readonly ServerMessage[]): void {
  assert.ok(messages.length > 0);
  assert.deepEqual(
    messages.filter(({ type }) => type === "chunk"),
    [],
  );
}

it("a multi_chat without chunks has none when a crash before any of its commits interrupts it", async () => {
  let interrupted = 0;
  for (let nth = 1; ; nth += 1) {
    await using at = await createInterruptedServer();
    at.upstream.respond(streamScript(answer({ deltas: ["One ", "answer."] })));
    const seen = await at.askAndDie(frame, { nth });
    if (seen === undefined) break;
    await using server = await at.start();
    if ((await fetch(`${server.httpUrl}/api/requests/whole`)).status === 404) continue;
    const messages = await replay(await server.connect(), "whole");
    checkHasNoChunks(messages);
    const end = messages.at(-1);
    if (end?.type === "error" && end.code === "interrupted") interrupted += 1;
  }
  assert.ok(interrupted >= 2, `${interrupted}`);
});

it("a multi_chat without chunks has none when its time is over", async () => {
  await using at = await createInterruptedServer();
  at.upstream.respond([...streamScript(answer({ deltas: ["One ", "answer."] })).slice(0, 6), { hang: true }]);
  await using server = await at.start({ turnLimitMs: 60_000 });
  const client = await server.connect();
  client.send(frame);
  await client.next((message) => message.type === "status" && message.status === "streaming");
  await server.clock.advance(60_000);
  const messages = await client.untilTerminal("whole");
  checkHasNoChunks(messages);
  const end = messages.at(-1);
  assert.ok(end?.type === "error" && end.code === "turn_timeout", JSON.stringify(end));
});
