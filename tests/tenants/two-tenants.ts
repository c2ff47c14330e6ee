import assert from "node:assert/strict";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { bearer, startKeySystem } from "../support/key-system.ts";
import { createTestClock } from "../support/test-clock.ts";

/** Occurs in all of the owner's questions and answers. */
export const canary = "canary-7f3a9c";

/** The id under which the vendor keeps one of her answers. */
const vendorResponseId = "resp_hers0a1";

const pieces = Array.from({ length: 20 }, (_, index) => `${canary} ${index}. `);

/** A server on which `ada` has a running request and one that has ended, with the results of both. */
export async function startTwoTenants(store: "memory" | "sqlite") {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  const gate = createGate();
  const hers = streamScript(answer({ deltas: pieces }));
  let isFirst = true;
  upstream.respond((request) => {
    if (JSON.stringify(request.body).includes(`${canary} at the vendor`))
      return streamScript(answer({ text: canary, responseId: vendorResponseId }));
    if (!JSON.stringify(request.body).includes(canary)) return streamScript(answer({ text: "Yours." }));
    if (isFirst) {
      isFirst = false;
      return hers;
    }
    return [...hers.slice(0, 8), { waitFor: gate.opened }, ...hers.slice(8)];
  });
  // Ids are made as in production, because those of the test clock could be guessed.
  const clock = { ...createTestClock({ instantMs: 1_000 }), newId: () => crypto.randomUUID() };
  const system = stack.use(
    await startKeySystem({ store, clock, openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl }),
  );
  const { server, call } = system;
  const ada = await system.makeKey("ada");
  const owner = await server.connect(bearer(ada.key));
  const ask = (id: string) =>
    owner.send({
      type: "chat",
      id,
      data: { message: `${canary}?`, persona_id: "teacher", conversation_id: "new" },
    });
  ask("Req-hers:ended.1");
  const terminal = (await owner.untilTerminal("Req-hers:ended.1")).at(-1);
  assert.ok(terminal?.type === "response" && terminal.request_type === "chat");
  ask("Req-hers:runs.2");
  await owner.next((message) => message.type === "chunk" && message.request_id === "Req-hers:runs.2");
  owner.send({
    type: "openai_chat",
    id: "Req-hers:vendor.3",
    data: { input_text: `${canary} at the vendor` },
  });
  await owner.untilTerminal("Req-hers:vendor.3");
  const running = await call("GET", "/api/requests/Req-hers:runs.2", { key: ada.key });
  const { conversation_id } = (await running.json()) as { conversation_id: string };

  return {
    ...system,
    upstream,
    ids: {
      "a request that runs": "Req-hers:runs.2",
      "a request that has ended": "Req-hers:ended.1",
      "a conversation in which one runs": conversation_id,
      "a conversation": terminal.data.conversation_id,
      "a message": String(terminal.data.message_id),
      "a key": ada.id,
      "a response of the vendor": vendorResponseId,
    },
    /** Her key. */
    ada,
    owner,
    clock,
    /** Lets the running request go on. */
    openGate: () => gate.open(),
    /** Runs her request to its end, and returns the messages she saw. */
    async finish() {
      gate.open();
      return owner.untilTerminal("Req-hers:runs.2");
    },
    expected: pieces.join(""),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export type TwoTenants = Awaited<ReturnType<typeof startTwoTenants>>;
