import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { readSettings } from "../../src/compose/read-settings.ts";
import type { Persona } from "../../src/ports/persona.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer, answerParts, eventsOf } from "../doubles/answer.ts";
import { eventTexts } from "../doubles/event-text.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { namesOfOthers } from "../protocol/field-kinds.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";

/** Names of the maximum length, and longer ones such as gateways make for responses. */
const names = [...namesOfOthers, "x".repeat(64), `resp_${"bGl0ZWxsbTo".repeat(5)}=`] as const;

/** Asks, and returns the message that ended or refused the request. */
async function endOf(client: WireClient, frame: object): Promise<ServerMessage> {
  client.send(frame);
  return client.next((told) => told.type === "response" || (told.type === "error" && told.seq !== 1));
}

function dataOf(end: ServerMessage): Record<string, unknown> {
  assert.ok(end.type === "response", JSON.stringify(end));
  return end.data;
}

/** A vendor that gives everything the names that the test chooses. */
async function startVendor(options: TroupeOptions = {}) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  const server = stack.use(
    await startTroupe({
      ...{ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock: createTestClock({ instantMs: 1_000 }) },
      ...options,
    }),
  );
  return {
    upstream,
    server,
    client: await server.connect(),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const asked = (data: object = {}) => ({ type: "openai_chat", data: { input_text: "Hi", ...data } });

describe("a client can send back every name of a reply, with any characters", () => {
  it("a response, by previous_response_id", async () => {
    await using vendor = await startVendor();
    for (const responseId of [...names, "x".repeat(1_024)]) {
      vendor.upstream.respond(streamScript(answer({ responseId })));
      const { id } = dataOf(await endOf(vendor.client, asked()));
      assert.equal(id, responseId);
      dataOf(await endOf(vendor.client, asked({ previous_response_id: id })));
      const body = vendor.upstream.requests.at(-1)?.body as Record<string, unknown>;
      assert.equal(body.previous_response_id, responseId);
    }
  });

  it("a model", async () => {
    await using vendor = await startVendor();
    for (const model of names) {
      vendor.upstream.respond(streamScript(answer({ model })));
      for (const [first, again] of [
        [asked(), (named: unknown) => asked({ model: named })],
        [
          { type: "chat", data: { message: "Hi", persona_id: "teacher" } },
          (named: unknown) => ({
            type: "chat",
            data: { message: "Hi", persona_id: "teacher", model: named },
          }),
        ],
      ] as const) {
        const { model: named } = dataOf(await endOf(vendor.client, first));
        assert.equal(named, model);
        dataOf(await endOf(vendor.client, again(named)));
        const body = vendor.upstream.requests.at(-1)?.body as Record<string, unknown>;
        assert.equal(body.model, model);
      }
    }
  });

  it("a vendor's conversation, by its object or by its id", async () => {
    await using vendor = await startVendor();
    for (const id of names) {
      const parts = answerParts();
      const { terminal } = parts;
      assert.ok("response" in terminal);
      const response = { ...terminal.response, conversation: { id, object: "conversation" } };
      const events = [...eventsOf(parts).slice(0, -1), { ...terminal, response } as typeof terminal];
      vendor.upstream.respond(streamScript(eventTexts(events)));
      const { conversation } = dataOf(await endOf(vendor.client, asked()));
      for (const named of [conversation, id]) {
        dataOf(await endOf(vendor.client, asked({ options: { conversation: named } })));
        const body = vendor.upstream.requests.at(-1)?.body as Record<string, unknown>;
        assert.deepEqual(body.conversation, named);
      }
    }
  });

  it("all options that a response says it had, with words that no list has", async () => {
    await using vendor = await startVendor();
    for (const word of names.filter((name) => name.length <= 64)) {
      const parts = answerParts();
      const { terminal } = parts;
      assert.ok("response" in terminal);
      const words = { service_tier: word, truncation: word, tool_choice: word, prompt_cache_retention: word };
      const response = { ...terminal.response, ...words };
      const events = [
        ...eventsOf(parts).slice(0, -1),
        { ...terminal, response } as unknown as typeof terminal,
      ];
      vendor.upstream.respond(streamScript(eventTexts(events)));
      const told = dataOf(await endOf(vendor.client, asked()));
      const options = Object.fromEntries(
        [
          ...[
            "background",
            "instructions",
            "max_output_tokens",
            "max_tool_calls",
            "metadata",
            "parallel_tool_calls",
          ],
          ...["prompt_cache_key", "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier"],
          ...["temperature", "text", "tool_choice", "top_logprobs", "top_p", "truncation"],
        ].map((name) => [name, told[name]]),
      );
      dataOf(await endOf(vendor.client, asked({ options })));
      const body = vendor.upstream.requests.at(-1)?.body as Record<string, unknown>;
      for (const [name, value] of Object.entries(options))
        if (value !== null && value !== undefined) assert.deepEqual(body[name], value, name);
    }
  });

  it("a persona of an embedding program, in chat, multi_chat and the stop of its lane", async () => {
    const personas = names
      .filter((name) => name.length <= 128)
      .map((id): Persona => ({ id, name: `Name ${id}`, description: "d", instructions: "Be." }));
    await using server = await startTroupe({ personas, clock: createTestClock({ instantMs: 1_000 }) });
    const client = await server.connect();
    const { personas: told } = (await (await fetch(`${server.httpUrl}/api/personas`)).json()) as {
      personas: { id: string }[];
    };
    assert.deepEqual(told.map(({ id }) => id).toSorted(), personas.map(({ id }) => id).toSorted());
    for (const { id } of told) {
      assert.equal(
        dataOf(await endOf(client, { type: "chat", data: { message: "Hi", persona_id: id } })).persona_id,
        id,
      );
      client.send({ type: "cancel", data: { request_id: "never", persona_id: id } });
      const refused = await client.next(({ type }) => type === "error");
      assert.equal(refused.type === "error" && refused.code, "request_not_found");
    }
    const few = told.slice(0, 16).map(({ id }) => id);
    const { responses } = dataOf(
      await endOf(client, { type: "multi_chat", data: { message: "Hi", persona_ids: few } }),
    );
    assert.deepEqual(
      (responses as { persona_id: string }[]).map(({ persona_id }) => persona_id),
      few,
    );
  });

  it("an api of an embedding program", async () => {
    const provider = {
      name: "scripted",
      simulated: false,
      async *stream() {
        yield [{ type: "end", finishReason: "stop", model: "m" } as const];
      },
    };
    const providers = { choose: (api: string) => ({ provider, api, model: "m" }) };
    await using server = await startTroupe({ providers, clock: createTestClock({ instantMs: 1_000 }) });
    const client = await server.connect();
    for (const name of names.filter((one) => one.length <= 64)) {
      const frame = (api: unknown) => ({ type: "chat", data: { message: "Hi", persona_id: "teacher", api } });
      const { api } = dataOf(await endOf(client, frame(name)));
      assert.equal(api, name);
      dataOf(await endOf(client, frame(api)));
    }
  });
});

/** In a URL, dots alone would lead to another address. */
const inAddresses = names.filter((name) => name.length <= 128 && name !== ".");

for (const store of ["memory", "sqlite"] as const)
  describe(`ids in frames and in addresses, kept in ${store}`, () => {
    it("a request of a client's own name is found, resumed and stopped by it", async () => {
      await using place = await createDataFolder();
      const clock = createTestClock({ instantMs: 1_000 });
      await using server = await startTroupe({ store, data: place.folder, clock });
      const client = await server.connect();
      for (const id of inAddresses) {
        const ask = { type: "chat", id, data: { message: "Hi", persona_id: "teacher" } };
        client.send(ask);
        const told = await client.untilTerminal(id);
        assert.ok(told.every((message) => "request_id" in message && message.request_id === id));
        const reply = await fetch(`${server.httpUrl}/api/requests/${encodeURIComponent(id)}`);
        const body = (await reply.json()) as { request_id: unknown; state: unknown };
        assert.deepEqual([reply.status, body.request_id, body.state], [200, id, "ended"], id);
        const other = await server.connect();
        other.send({ type: "resume", data: { request_id: id, after_seq: 0 } });
        assert.deepEqual((await other.untilTerminal(id)).slice(1), told);
        other.send({ type: "cancel", data: { request_id: id } });
        const refused = await other.next(({ type }) => type === "error");
        assert.equal(refused.type === "error" && refused.code, "request_ended");
        other.terminate();
      }
    });

    it("a conversation is continued, followed, read, named, exported and deleted by its id", async () => {
      await using place = await createDataFolder();
      let next = 0;
      const newId = () => {
        next += 1;
        return `${inAddresses[next % inAddresses.length]}${next}`;
      };
      const clock = Object.assign(createTestClock({ instantMs: 1_000 }), { newId });
      await using server = await startTroupe({ store, data: place.folder, clock });
      const seen = new Set<string>();
      for (let round = 0; round < 12; round += 1) {
        const client = await server.connect();
        const chat = (more: object) => ({
          type: "chat",
          data: { message: "Hi", persona_id: "teacher", ...more },
        });
        const { conversation_id } = dataOf(await endOf(client, chat({ conversation_id: "new" })));
        const id = String(conversation_id);
        seen.add(id);
        assert.equal(dataOf(await endOf(client, chat({ conversation_id: id }))).conversation_id, id);
        client.send({ type: "follow", data: { conversation_id: id } });
        const following = await client.next(({ type }) => type === "following");
        assert.equal(following.type === "following" && following.conversation_id, id);
        const address = `${server.httpUrl}/api/conversations/${encodeURIComponent(id)}`;
        const read = (await (await fetch(address)).json()) as { id: string; messages: unknown[] };
        assert.deepEqual([read.id, read.messages.length], [id, 4]);
        const named = await fetch(address, { method: "PATCH", body: JSON.stringify({ title: "T" }) });
        assert.deepEqual([named.status, await named.json()], [200, { id, title: "T" }]);
        assert.equal((await fetch(`${address}/export?format=markdown`)).status, 200);
        assert.equal((await fetch(address, { method: "DELETE" })).status, 204);
        assert.equal((await fetch(address)).status, 404);
        client.terminate();
      }
      assert.equal(seen.size, 12);
    });
  });

/** In a setting, a comma separates names, and an invisible character is an accident of pasting. */
const settable = names.filter((name) => !/,|\p{Cf}/u.test(name) && name.trim() === name);

describe("settings that hold names of others", () => {
  it("a default model, and the prices of models", () => {
    for (const model of settable) {
      const env = { TROUPE_MODEL: model, TROUPE_PRICES: `${model}=0.5/1, other=2/3` };
      const { settings: read } = readSettings([], { env });
      assert.equal(read.model, model);
      assert.deepEqual(read.prices, [
        { model, price: { input: 0.5, output: 1 } },
        { model: "other", price: { input: 2, output: 3 } },
      ]);
    }
  });

  it("ids that every caller may name", async () => {
    const env = { TROUPE_SHARED_VENDOR_IDS: settable.join(",") };
    const { sharedVendorIds } = readSettings([], { env }).settings;
    assert.deepEqual(sharedVendorIds, settable);
    await using vendor = await startVendor({ sharedVendorIds });
    for (const id of settable) dataOf(await endOf(vendor.client, asked({ previous_response_id: id })));
  });
});
