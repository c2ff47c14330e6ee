import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PersonaRequest } from "../../src/chat/prompt/persona-request.ts";
import { followLog } from "../../src/ports/follow-log.ts";
import { type Item, textMessage } from "../../src/ports/item.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { openServer } from "../support/open-turns.ts";
import { createTestClock } from "../support/test-clock.ts";

const personas = ["Ada", "Bob"].map((name) => ({
  ...{ id: name.toLowerCase(), name, description: `${name}.`, instructions: `You are ${name}.` },
}));
const functions = [{ name: "find_place", parameters: { type: "object" } }];
const pacing = { mode: "raw", chunkChars: 50, intervalMs: 100, maxLagMs: 400 } as const;
const asking = (...input: Item[]): PersonaRequest => ({
  ...{ kind: "persona", personaIds: ["ada"], input, functions, api: "openai", pacing },
});

/** The answer of a model that reasons: its last event has the encrypted reasoning. */
function reasoned(text: string, encrypted = "sealed"): string[] {
  return answer({ text, reasoning: ["Let me see."] }).map((event) =>
    event.replaceAll('"summary":[{', `"encrypted_content":"${encrypted}","summary":[{`),
  );
}

/** One data folder and one upstream, for a server and the ones after it. */
async function createPlace() {
  const stack = new AsyncDisposableStack();
  const place = stack.use(await createDataFolder());
  const upstream = stack.use(await createUpstreamDouble());
  const open = (openaiApiKey = "k") =>
    openServer({
      ...{ store: "sqlite", data: place.folder, personas, openaiApiKey, openaiBaseUrl: upstream.baseUrl },
      clock: Object.assign(createTestClock({ instantMs: 9_000 }), { newId: () => crypto.randomUUID() }),
    });
  /** Asks on a server of its own, and waits for the end. */
  async function ask(
    id: string,
    request: PersonaRequest,
    { conversation = "new", key }: { conversation?: string | undefined; key?: string } = {},
  ) {
    await using server = await open(key);
    const { turn } = await server.ask(id, request, { conversation });
    let callId: string | undefined;
    for await (const batch of followLog(turn.log, { after: 0 }))
      if (batch.type === "events")
        for (const { event } of batch.events) if (event.type === "tool") callId = event.callId;
    return { conversation: turn.record.conversationId, callId };
  }
  /** The input of the n-th call. */
  const inputOf = (call: number) => Reflect.get(Object(upstream.requests[call]?.body), "input");
  return {
    upstream,
    ask,
    inputOf,
    database: place.database,
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
}

const hi = { type: "message", role: "user", content: "Hi" };
const sealed = {
  ...{ type: "reasoning", summary: [{ type: "summary_text", text: "Let me see." }] },
  encrypted_content: "sealed",
};
const hello = { type: "message", role: "assistant", content: "Hello." };
const more = { type: "message", role: "user", content: "More?" };

describe("a conversation of items", () => {
  it("gives a persona its own reasoning again, on the same account only, and no other persona", async () => {
    await using place = await createPlace();
    place.upstream.respond(streamScript(reasoned("Hello.")));
    const { conversation } = await place.ask("one", asking(textMessage("user", "Hi")));
    const question = asking(textMessage("user", "More?"));
    await place.ask("two", question, { conversation });
    assert.deepEqual(place.inputOf(1), [hi, sealed, hello, more]);
    await place.ask("three", question, { conversation, key: "another-key" });
    assert.deepEqual(place.inputOf(2), [hi, hello, more, hello, more]);
    await place.ask("four", { ...question, personaIds: ["bob"] }, { conversation });
    assert.equal(JSON.stringify(place.inputOf(3)).includes("sealed"), false);
  });

  it("takes the result of a call in the next request, and leaves out a call that got none", async () => {
    for (const isAnswered of [true, false]) {
      await using place = await createPlace();
      const tool = { type: "function", name: "find_place", argumentDeltas: ['{"roof":', '"red"}'] } as const;
      place.upstream.respond((_, call) => streamScript(call === 0 ? answer({ tool }) : reasoned("Hello.")));
      const { conversation, callId = "" } = await place.ask("one", asking(textMessage("user", "Hi")));
      assert.match(callId, /^call_/);
      const output = [{ type: "text", text: "Lucca" }] as const;
      const result: Item = { type: "tool-result", callId, output };
      const question = isAnswered ? result : textMessage("user", "More?");
      await place.ask("two", asking(question), { conversation });
      const called = {
        type: "function_call",
        call_id: callId,
        name: "find_place",
        arguments: '{"roof":"red"}',
      };
      const told = { type: "function_call_output", call_id: callId, output: "Lucca" };
      const before = isAnswered ? [hi, called, told] : [{ ...hi, content: "Hi\n\nMore?" }];
      assert.deepEqual(place.inputOf(1), before);
      await place.ask("three", asking(textMessage("user", "More?")), { conversation });
      assert.deepEqual(place.inputOf(2), [...before, sealed, hello, more]);
    }
  });

  it("keeps the text of an answer whose items are too large, or cannot be read", async () => {
    await using place = await createPlace();
    place.upstream.respond((_, call) =>
      streamScript(reasoned("Hello.", call === 0 ? "e".repeat(300_000) : "sealed")),
    );
    const { conversation } = await place.ask("one", asking(textMessage("user", "Hi")));
    await place.ask("two", asking(textMessage("user", "More?")), { conversation });
    assert.deepEqual(place.inputOf(1), [hi, hello, more]);
    {
      using database = openBeside(place.database);
      database.exec(`UPDATE messages SET items = '[{"type":"song"}]' WHERE items IS NOT NULL`);
    }
    await place.ask("three", asking(textMessage("user", "More?")), { conversation });
    assert.deepEqual(place.inputOf(2), [hi, hello, more, hello, more]);
  });
});
