import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import { userText } from "../../src/ports/item.ts";
import type { Provider } from "../../src/ports/provider.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { bearer } from "../support/key-system.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import type { WireClient } from "../support/wire-client.ts";
import { partialCatalog } from "./partial-catalog.ts";

const key = "ada-0123456789abcdef";
const provider: Provider = {
  name: "scripted",
  simulated: false,
  async *stream({ input }, { signal }) {
    if (userText(input) === "Wait.")
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
    yield [
      { type: "text", text: "Fine." },
      { type: "end", finishReason: "stop", model: "m" },
    ];
  },
};
const providers = partialCatalog(provider);

const chat = (data: object = {}) => ({
  type: "chat",
  data: { message: "Hi", persona_id: "teacher", ...data },
});
const several = (...persona_ids: string[]) => ({ type: "multi_chat", data: { message: "Hi", persona_ids } });
const asked = (data: object = {}) => ({ type: "openai_chat", data: { input_text: "Hi", ...data } });

/** The socket's own conversation, a new one, an existing one, and one that never existed. */
const places = [undefined, "new", "there", "never"] as const;
type Place = (typeof places)[number];

interface Refusal {
  readonly code: string;
  readonly frames: readonly { readonly type: string; readonly data: object }[];
  readonly options?: TroupeOptions;
  /** Brings the server to the point where it refuses, over another connection of the same caller. */
  readonly before?: (other: WireClient) => Promise<void>;
}

/** Asks a question whose answer ends only when it is cancelled. */
async function occupy(client: WireClient, id = "waits"): Promise<void> {
  const data = { message: "Wait.", persona_id: "teacher", conversation_id: "new" };
  client.send({ type: "chat", id, data });
  await client.next(
    (told) => told.type === "error" || (told.type === "status" && told.status === "processing"),
  );
}

async function occupyAll(client: WireClient): Promise<void> {
  while (client.received.at(-1)?.type !== "error") await occupy(client, `waits-${client.received.length}`);
}

async function spendTheDay(client: WireClient): Promise<void> {
  while (client.received.at(-1)?.type !== "error") {
    client.send({ type: "openai_chat", data: { input_text: "words ".repeat(40) } });
    await client.next(({ type }) => type === "response" || type === "error");
  }
}

const refusals: readonly Refusal[] = [
  {
    code: "invalid_message",
    frames: [chat({ message: " " }), chat({ model: "a\n" }), asked({ input_text: "" }), several()],
  },
  { code: "persona_not_found", frames: [chat({ persona_id: "nobody" }), several("teacher", "nobody")] },
  { code: "persona_repeated", frames: [several("teacher", "teacher")] },
  { code: "provider_not_configured", frames: [chat({ api: "none" })] },
  { code: "internal_error", frames: [chat({ api: "broken" })] },
  {
    code: "previous_response_not_found",
    frames: [
      asked({ previous_response_id: "resp_never" }),
      asked({ options: { conversation: "conv_never" } }),
      asked({ tools: [{ type: "file_search", vector_store_ids: ["vs_never"] }] }),
    ],
  },
  {
    code: "invalid_message",
    options: { moneyPerDay: 1, fallbackPrice: { input: 0, output: 0 } },
    frames: [asked({ tools: [{ type: "web_search" }] }), asked({ options: { service_tier: "priority" } })],
  },
  {
    code: "too_many_requests",
    options: { maxRequestsPerKey: 1 },
    before: occupy,
    frames: [chat(), several("teacher", "skeptic"), asked()],
  },
  {
    code: "too_many_requests",
    options: { maxRequestsPerOwner: 1 },
    before: occupy,
    frames: [chat(), several("teacher", "skeptic"), asked()],
  },
  { code: "overloaded", options: { maxRequests: 1 }, before: occupy, frames: [chat(), asked()] },
  { code: "overloaded", options: { logBytes: 1_024 }, before: occupyAll, frames: [chat(), asked()] },
  {
    code: "too_many_requests",
    options: { maxRequestBytesPerOwner: 200_000 },
    before: occupy,
    frames: [
      chat({ message: "x".repeat(200_000) }),
      several("teacher", "skeptic", "historian", "creative_writer"),
    ],
  },
  {
    code: "request_rate_exceeded",
    options: { requestsPerMinute: 1 },
    frames: [chat(), asked()],
  },
  {
    code: "day_budget_spent",
    options: { tokensPerDay: 400 },
    before: spendTheDay,
    frames: [chat({ message: "words ".repeat(40) }), asked({ input_text: "words ".repeat(40) })],
  },
];

/** Number of rows in each table. */
function rowsOf(file: string): Record<string, number> {
  using database = openBeside(file, { readOnly: true });
  const tables = database
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN ('journal', 'counters')",
    )
    .all();
  return Object.fromEntries(
    tables.map(({ name }) => [
      String(name),
      Number(database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get()?.rows),
    ]),
  );
}

/** How a frame was answered: the code of its refusal, or the fact that it reached its end. */
async function answerTo(client: WireClient, frame: object): Promise<string> {
  client.send(frame);
  const end = await client.next(({ type }) => type === "error" || type === "response");
  assert.equal(end.type === "error" && end.seq, end.type === "error" ? undefined : false);
  return end.type === "error" ? end.code : end.type;
}

describe("a request that is refused stores nothing", () => {
  for (const { code, frames, options = {}, before } of refusals)
    it(`${code}${Object.keys(options).length === 0 ? "" : ` by ${Object.keys(options)}`}`, async () => {
      await using place = await createDataFolder();
      const clock = createTestClock({ instantMs: 1_000 });
      await using server = await startTroupe({
        ...{ store: "sqlite", data: place.folder, clock, providers, apiKeys: [{ owner: "ada", key }] },
        ...options,
      });
      const client = await server.connect(bearer(key));
      client.send({ ...chat({ conversation_id: "new" }), id: "first" });
      const first = (await client.untilTerminal("first")).at(-1);
      assert.ok(first?.type === "response" && first.request_type === "chat", JSON.stringify(first));
      await client.next((told) => told === first);
      const there = first.data.conversation_id;
      const other = await server.connect(bearer(key));
      await before?.(other);
      const rows = rowsOf(place.database);
      assert.ok(Number(rows.conversations) > 0);
      const inPlace = (data: object, at: Place) => ({
        ...data,
        ...(at === undefined ? {} : { conversation_id: at === "there" ? there : at }),
      });
      let count = 0;
      for (const { type, data } of frames)
        for (const at of type === "openai_chat" ? [undefined] : places)
          for (const id of [undefined, "named"]) {
            const found = await answerTo(client, {
              ...{ type, data: inPlace(data, at) },
              ...(id === undefined ? {} : { id: `${id}-${count}` }),
            });
            // Either of the two faults may be reported here.
            if (at !== "never" || found !== "conversation_not_found") assert.equal(found, code);
            count += 1;
          }
      assert.ok(count >= 2);
      assert.deepEqual(rowsOf(place.database), rows);
    });

  it("conversation_not_found, and an id that is taken by another request", async () => {
    await using place = await createDataFolder();
    const clock = createTestClock({ instantMs: 1_000 });
    await using server = await startTroupe({ store: "sqlite", data: place.folder, clock, providers });
    const client = await server.connect();
    assert.equal(await answerTo(client, { ...chat(), id: "taken" }), "response");
    const rows = rowsOf(place.database);
    for (const frame of [
      chat({ conversation_id: "never" }),
      { ...chat({ conversation_id: "never" }), id: "n" },
    ])
      assert.equal(await answerTo(client, frame), "conversation_not_found");
    for (const conversation_id of ["new", "never", undefined])
      assert.equal(
        await answerTo(client, { ...chat({ message: "Other", conversation_id }), id: "taken" }),
        "request_id_conflict",
      );
    // The same request joins the first one, and creates no second conversation either.
    assert.equal(await answerTo(client, { ...chat(), id: "taken" }), "response");
    assert.deepEqual(rowsOf(place.database), rows);
  });

  it("shutting_down, on a connection that follows a running request", async () => {
    await using place = await createDataFolder();
    const clock = createTestClock({ instantMs: 1_000 });
    await using server = await startTroupe({ store: "sqlite", data: place.folder, clock, providers });
    const client = await server.connect();
    await occupy(client);
    const rows = rowsOf(place.database);
    const closed = server.troupe.close({ drainMs: 60_000 });
    for (const frame of [chat(), chat({ conversation_id: "new" }), asked(), { ...chat(), id: "n" }])
      assert.equal(await answerTo(client, frame), "shutting_down");
    assert.deepEqual(rowsOf(place.database), rows);
    client.send({ type: "cancel", data: { request_id: "waits" } });
    await closed;
  });

  it("and the socket's own conversation is still the one before", async () => {
    await using server = await startTroupe({ clock: createTestClock({ instantMs: 1_000 }), providers });
    const client = await server.connect();
    const conversationOf = async (data: object) => {
      client.send(chat(data));
      const end = await client.next(({ type }) => type === "response");
      assert.ok(end.type === "response" && end.request_type === "chat");
      return end.data.conversation_id;
    };
    const own = await conversationOf({});
    assert.equal(
      await answerTo(client, chat({ persona_id: "nobody", conversation_id: "new" })),
      "persona_not_found",
    );
    assert.equal(await conversationOf({}), own);
    const next = await conversationOf({ conversation_id: "new" });
    assert.notEqual(next, own);
    assert.equal(await conversationOf({}), next);
  });
});
