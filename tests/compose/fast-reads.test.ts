import assert from "node:assert/strict";
import { it } from "node:test";
import { ChunkSkimmer } from "../../src/adapters/upstream/fast/fast-reads.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";

for (const fastReads of [true, false])
  it(`fastReads: ${fastReads} decides whether a provider's answer goes past Node's parser`, async (test) => {
    const accepted = test.mock.method(ChunkSkimmer.prototype, "accept");
    await using double = await createUpstreamDouble();
    await using server = await startTroupe({
      ...{ fastReads, openaiApiKey: "k", openaiBaseUrl: double.baseUrl },
    });
    const client = await server.connect();
    client.send({ type: "openai_chat", id: "r1", data: { input_text: "Well?" } });
    const messages = await client.untilTerminal();
    assert.equal(messages.at(-1)?.type, "response");
    assert.equal(double.calls, 1);
    assert.equal(accepted.mock.callCount() > 0, fastReads);
  });
