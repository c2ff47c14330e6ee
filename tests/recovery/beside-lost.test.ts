import assert from "node:assert/strict";
import { it } from "node:test";
import { TroupeError } from "../../src/protocol/errors.ts";
import { createMortalThreads } from "../crash/mortal-threads.ts";
import { hanging, whole } from "./half-and-whole.ts";
import { createInterruptedServer, replay } from "./interrupted-server.ts";

const ask = (id: string, model: string) => ({
  type: "chat",
  id,
  data: {
    message: "Hi",
    persona_id: "teacher",
    model,
    conversation_id: "new",
    on_interrupt: "restart",
    pacing: { mode: "raw" },
  },
});

it("a request that cannot be recovered ends as interrupted, and every other one is recovered", async () => {
  using threads = createMortalThreads();
  await using at = await createInterruptedServer();
  const models = ["whole", "not configured", "broken", "whole again"] as const;
  const ids = models.map((model) => model.replace(" ", "-"));
  {
    await using server = await at.start({
      providers: { choose: (api) => ({ provider: hanging, api, model: "m" }) },
    });
    const client = await server.connect();
    for (const id of ids) {
      client.send(ask(id, id));
      await client.next((message) => message.type === "chunk" && message.request_id === id);
    }
    await threads.die();
  }
  const faults: unknown[] = [];
  const nothing = () => undefined;
  await using server = await at.start({
    logger: { debug: nothing, info: nothing, warn: nothing, error: (data) => void faults.push(data) },
    providers: {
      choose(api, model) {
        if (model === "not-configured") throw new TroupeError("provider_not_configured");
        if (model === "broken") throw new Error("A fault of our own.");
        return { provider: whole, api, model: "m" };
      },
    },
  });
  const client = await server.connect();
  const ends = [];
  for (const id of ids) {
    const end = (await replay(client, id)).at(-1);
    ends.push(end?.type === "error" ? end.code : end?.type);
  }
  assert.deepEqual(ends, ["response", "interrupted", "interrupted", "response"]);
  // Only the server's own fault is logged, once. Another provider answering now is not a fault.
  assert.equal(faults.length, 1);
});
