import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTroupe } from "../../src/compose/create-troupe.ts";
import { vendorIdRetentionMs } from "../../src/ports/vendor-ids.ts";
import { answer } from "../doubles/answer.ts";
import { createGate } from "../doubles/script.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { adminKey, bearer } from "../support/key-system.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { apiKeys, askOn, keys, type Owner, responseIdOf, startVendorCallers } from "./vendor-callers.ts";

const refused = (field: string) => ({
  type: "error",
  status: "error",
  code: "previous_response_not_found",
  message: "There is nothing under this id at the model provider.",
  retryable: false,
  field,
  in_reply_to: { type: "openai_chat" },
});

/** Every field in which a request can name something at the vendor, with its path. */
const places: readonly (readonly [field: string, data: (id: string) => object])[] = [
  ["data.previous_response_id", (id) => ({ previous_response_id: id })],
  ["data.options.conversation", (id) => ({ options: { conversation: id } })],
  ["data.options.conversation.id", (id) => ({ options: { conversation: { id } } })],
  ["data.options.prompt.id", (id) => ({ options: { prompt: { id } } })],
  [
    "data.options.prompt.variables.file.file_id",
    (id) => ({ options: { prompt: { variables: { file: { type: "input_file", file_id: id } } } } }),
  ],
  [
    "data.tools.1.vector_store_ids.0",
    (id) => ({ tools: [{ type: "web_search" }, { type: "file_search", vector_store_ids: [id] }] }),
  ],
  ["data.tools.0.container", (id) => ({ tools: [{ type: "code_interpreter", container: id }] })],
  [
    "data.tools.0.container.file_ids.1",
    (id) => ({
      tools: [{ type: "code_interpreter", container: { type: "auto", file_ids: ["shared", id] } }],
    }),
  ],
  [
    "data.tools.0.environment.container_id",
    (id) => ({ tools: [{ type: "shell", environment: { type: "container_reference", container_id: id } }] }),
  ],
  [
    "data.tools.0.environment.skills.0.skill_id",
    (id) => ({
      tools: [
        {
          type: "shell",
          environment: { type: "container_auto", skills: [{ type: "skill_reference", skill_id: id }] },
        },
      ],
    }),
  ],
  [
    "data.tools.0.input_image_mask.file_id",
    (id) => ({ tools: [{ type: "image_generation", input_image_mask: { file_id: id } }] }),
  ],
  ["data.tools.0.tunnel_id", (id) => ({ tools: [{ type: "mcp", server_label: "s", tunnel_id: id }] })],
  [
    "data.tools.0.tools.0.vector_store_ids.0",
    (id) => ({ tools: [{ type: "namespace", tools: [{ type: "file_search", vector_store_ids: [id] }] }] }),
  ],
  ["data.tools.0.not_known_yet_id", (id) => ({ tools: [{ type: "not_known_yet", not_known_yet_id: id }] })],
];

const field = "data.previous_response_id";

for (const store of ["memory", "sqlite"] as const) {
  describe(`an id of the vendor, kept in ${store}`, () => {
    it("belongs to the caller it was made for; another's and an unknown one are refused alike, before the provider is called", async () => {
      await using system = await startVendorCallers({ store });
      const hers = responseIdOf(await system.ask("ada"));
      for (const id of [hers, "resp_never", hers.toUpperCase(), `${hers}:`, "resp_2"])
        assert.deepEqual(await system.ask("bob", { previous_response_id: id }), refused(field), id);
      assert.equal(system.upstream.calls, 1);
      responseIdOf(await system.ask("ada", { previous_response_id: hers }));
      const sent = system.upstream.requests.at(-1)?.body as { previous_response_id?: string };
      assert.equal(sent.previous_response_id, hers);
    });

    it("is looked for in every field that can name one", async () => {
      await using system = await startVendorCallers({ store, sharedVendorIds: ["shared"] });
      const hers = responseIdOf(await system.ask("ada"));
      for (const [place, data] of places) {
        for (const id of [hers, "resp_never", "x".repeat(256)])
          assert.deepEqual(await system.ask("bob", data(id)), refused(place), place);
        assert.equal((await system.ask("ada", data(hers))).type, "response", place);
        assert.equal((await system.ask("bob", data("shared"))).type, "response", place);
      }
    });

    it("is stored for an answer that was cancelled or reached its limit, and not for a refused one", async () => {
      await using system = await startVendorCallers({ store });
      const gate = createGate();
      const cut = answer({
        responseId: "resp_cut",
        ending: { status: "incomplete", reason: "max_output_tokens" },
      });
      const hangs = streamScript(answer({ responseId: "resp_stopped", deltas: ["One ", "two."] }));
      system.upstream.respond((_, index) =>
        index === 0 ? [...hangs.slice(0, 7), { waitFor: gate.opened }] : streamScript(cut),
      );
      const client = await system.server.connect(bearer(keys.ada));
      client.send({ type: "openai_chat", id: "r", data: { input_text: "Hi", pacing: { mode: "raw" } } });
      await client.next((message) => message.type === "chunk");
      client.send({ type: "cancel", data: { request_id: "r" } });
      const stopped = (await client.untilTerminal("r")).at(-1);
      assert.ok(stopped?.type === "response" && stopped.status === "cancelled");
      gate.open();
      const incomplete = await system.ask("ada");
      assert.deepEqual([responseIdOf(stopped), responseIdOf(incomplete)], ["resp_stopped", "resp_cut"]);
      for (const previous_response_id of ["resp_stopped", "resp_cut"]) {
        assert.equal((await system.ask("ada", { previous_response_id })).type, "response");
        assert.deepEqual(await system.ask("bob", { previous_response_id }), refused(field));
      }
    });

    it("of a container is the caller's in whose answer it is shown", async () => {
      await using system = await startVendorCallers({ store });
      const item = { type: "code_interpreter_call", id: "ci_1", status: "completed", container_id: "cntr_1" };
      const done = `event: response.output_item.done\ndata: ${JSON.stringify({ type: "response.output_item.done", item })}\n\n`;
      const events = answer({ responseId: "resp_1" });
      system.upstream.respond(streamScript([...events.slice(0, 2), done, ...events.slice(2)]));
      await system.ask("ada");
      const tools = [{ type: "code_interpreter", container: "cntr_1" }];
      assert.equal((await system.ask("ada", { tools })).type, "response");
      assert.deepEqual(await system.ask("bob", { tools }), refused("data.tools.0.container"));
    });

    it("of a request that is not stored is not kept", async () => {
      await using system = await startVendorCallers({ store });
      const id = responseIdOf(await system.ask("ada", { options: { store: false } }));
      assert.deepEqual(await system.ask("ada", { previous_response_id: id }), refused(field));
    });
  });
}

describe("ids of the vendor", () => {
  it("are no longer known when their time is over", async () => {
    await using system = await startVendorCallers();
    const hers = responseIdOf(await system.ask("ada"));
    await system.clock.advance(vendorIdRetentionMs - 60_000);
    const next = await system.ask("ada", { previous_response_id: hers });
    assert.equal(next.type, "response");
    await system.clock.advance(60_001);
    assert.deepEqual(await system.ask("ada", { previous_response_id: hers }), refused(field));
    assert.equal((await system.ask("ada", { previous_response_id: responseIdOf(next) })).type, "response");
  });

  it("are not looked for in the callers' own texts", async () => {
    await using system = await startVendorCallers();
    const described = { type: "object", properties: { file_id: { type: "string", default: "file-1" } } };
    const rows: readonly object[] = [
      { tools: [{ type: "function", name: "find", parameters: described, vector_store_ids: ["vs_1"] }] },
      { tools: [{ type: "custom", name: "find", format: { file_id: "file-1" } }] },
      {
        tools: [
          { type: "mcp", server_label: "s", connector_id: "connector_gmail", headers: { tenant_id: "5" } },
        ],
      },
      { options: { prompt: { variables: { customer_id: "5", ids: "6" } } } },
      { options: { metadata: { file_id: "file-1" }, text: { format: { schema: { file_id: "file-1" } } } } },
    ];
    for (const data of rows)
      assert.equal((await system.ask("bob", data)).type, "response", JSON.stringify(data));
  });

  it("are not checked again when the same request arrives a second time", async () => {
    await using system = await startVendorCallers();
    const previous_response_id = responseIdOf(await system.ask("ada"));
    const ask = { type: "openai_chat", id: "again", data: { input_text: "Hi", previous_response_id } };
    const client = await system.server.connect(bearer(keys.ada));
    client.send(ask);
    const first = await client.untilTerminal("again");
    // The vendor gives the id to another caller, so from now on it is foreign to new requests.
    system.upstream.respond(streamScript(answer({ responseId: previous_response_id })));
    await system.ask("bob");
    assert.deepEqual(await system.ask("ada", { previous_response_id }), refused(field));
    const calls = system.upstream.calls;
    client.send(ask);
    await client.next((message) => message.type === "response" && message !== first.at(-1));
    assert.equal(system.upstream.calls, calls);
  });

  it("of the demonstration are each caller's own, though both ask the same", async () => {
    await using server = await startTroupe({ apiKeys });
    const ask = (owner: Owner, data = {}) => askOn(server, owner, { input_text: "The same?", ...data });
    const [hers, his] = [responseIdOf(await ask("ada")), responseIdOf(await ask("bob"))];
    assert.notEqual(hers, his);
    assert.equal((await ask("ada", { previous_response_id: hers })).type, "response");
    assert.deepEqual(await ask("ada", { previous_response_id: his }), refused(field));
  });

  it("may all be named if the server has a single caller and its setting says so", async () => {
    const options = { foreignVendorIds: true, apiKeys: apiKeys.slice(0, 1) };
    await using system = await startVendorCallers(options);
    for (const [place, data] of places)
      assert.equal((await system.ask("ada", data("resp_elsewhere"))).type, "response", place);
  });

  it("keep the server from starting if several callers may name foreign ones", async () => {
    const several = [
      { apiKeys },
      { adminKey, apiKeys: apiKeys.slice(0, 1) },
      { adminKey },
      { allowAnonymous: true },
      { host: "0.0.0.0", allowAnonymous: true },
    ];
    for (const options of several) {
      const start = createTroupe({ store: "memory", localProviders: [], foreignVendorIds: true, ...options });
      await assert.rejects(start, /TROUPE_FOREIGN_VENDOR_IDS would let each caller/, JSON.stringify(options));
    }
  });
});
