import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import * as claude from "../adapters/anthropic/anthropic-setup.ts";
import { streamHead } from "../doubles/stream-script.ts";
import { startFourApis } from "./four-apis.ts";

const counts = { input_tokens: 500, cache_read_input_tokens: 400, output_tokens: 1 };
const sixteen = "sixteen letters ";
const isUsage = (message: ServerMessage) => message.type === "status" && message.usage !== undefined;

describe("the usage of an answer that streams", () => {
  it("has the input that the vendor has counted, and stays the same in a resume and after a cancel", async () => {
    await using stage = await startFourApis();
    const { client, upstreams } = stage;
    upstreams.claude.respond([
      streamHead(),
      { write: claude.begin(counts) + claude.openText() + claude.text(sixteen) },
      { hang: true },
    ]);
    const data = { api: "claude", input_text: "Well?", include_usage: true };
    client.send({ type: "openai_chat", id: "r", data });
    const told = await client.next(isUsage);
    const counted = { input_tokens: 900, output_tokens: 4, total_tokens: 904, estimated: true };
    assert.ok(told.type === "status");
    assert.deepEqual([told.status, told.usage], ["streaming", { ...counted, cached_tokens: 400 }]);
    client.send({ type: "cancel", data: { request_id: "r" } });
    const end = await client.next(({ type }) => type === "response");
    assert.ok(end.type === "response" && end.request_type === "openai_chat");
    assert.deepEqual(end.data.usage, counted);
    client.send({ type: "resume", data: { request_id: "r", after_seq: 0 } });
    const replayed = await client.untilTerminal("r");
    assert.deepEqual(replayed.filter(isUsage), [told]);
  });

  it("is told of each persona, and an estimate if the vendor tells nothing at the start", async () => {
    await using stage = await startFourApis();
    stage.say("llama", sixteen);
    const personas = { persona_ids: ["teacher", "historian"], message: "Well?" };
    const messages = await stage.ask("llama", { ...personas, include_usage: true }, "multi_chat");
    const told = messages.flatMap((message) =>
      message.type === "status" && message.usage !== undefined ? [[message.persona_id, message.usage]] : [],
    );
    assert.deepEqual(told.map(([persona]) => persona).toSorted(), ["historian", "teacher"]);
    for (const [, usage] of told) assert.equal((usage as { estimated: boolean }).estimated, true);
  });

  it("is not told to a request that does not ask for it", async () => {
    await using stage = await startFourApis();
    stage.say("claude", sixteen);
    const messages = await stage.ask("claude", { include_usage: false });
    assert.deepEqual(messages.filter(isUsage), []);
  });
});
