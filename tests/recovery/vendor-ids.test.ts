import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answer } from "../doubles/answer.ts";
import { restOf } from "../doubles/background-answer.ts";
import { faultDeltas as deltas } from "../doubles/fault-shape.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const events = answer({ responseId: "resp_7", deltas });
const ask = (data: object) => ({ type: "openai_chat", id: "long", data: { input_text: "Hi", ...data } });
const kinds = {
  "that goes on in the background": { options: { background: true } },
  "that is to be answered anew": { on_interrupt: "restart" },
};

describe("the id of a response", () => {
  for (const [kind, data] of Object.entries(kinds)) {
    it(`${kind} is stored as soon as a client has seen it, for a crash before any commit`, async () => {
      let shown = 0;
      for (let nth = 1; ; nth += 1) {
        await using at = await createInterruptedServer();
        at.upstream.respond(streamScript(events));
        at.upstream.respondToRetrieval((retrieval) => restOf(retrieval, events));
        const seen = await at.askAndDie(ask({ ...data, pacing: { mode: "raw" } }), { nth });
        if (seen === undefined) break;
        await using server = await at.start();
        const client = await server.connect();
        if ((await fetch(`${server.httpUrl}/api/requests/long`)).status === 404) continue;
        const end = (await replay(client, "long")).at(-1);
        if (end?.type !== "response") continue;
        shown += 1;
        client.send({
          type: "openai_chat",
          id: "next",
          data: { input_text: "More", previous_response_id: "resp_7" },
        });
        const next = (await client.untilTerminal("next")).at(-1);
        assert.equal(next?.type, "response", `${nth}`);
      }
      assert.ok(shown > 0, `${shown}`);
    });
  }

  it("is known to the next server after an orderly stop", async () => {
    await using at = await createInterruptedServer();
    at.upstream.respond(streamScript(events));
    {
      await using server = await at.start();
      const client = await server.connect();
      client.send(ask({}));
      await client.untilTerminal("long");
    }
    await using server = await at.start();
    const client = await server.connect();
    const data = { input_text: "More", previous_response_id: "resp_7" };
    client.send({ type: "openai_chat", id: "next", data });
    assert.equal((await client.untilTerminal("next")).at(-1)?.type, "response");
    client.send({ type: "openai_chat", id: "other", data: { ...data, previous_response_id: "resp_8" } });
    const refused = await client.next((message) => message.type === "error");
    assert.ok(refused.type === "error" && refused.code === "previous_response_not_found");
  });
});
