import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { builtinPersonas } from "../../src/adapters/builtin-personas/personas.ts";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { Logger } from "../../src/compose/log-observer.ts";
import type { Provider, ProviderRequest } from "../../src/ports/provider.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { createRawClient } from "../doubles/raw-client.ts";
import { openBeside } from "../support/open-beside.ts";
import { handshakeText } from "../support/raw-socket.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const canary = "canary-7f3a";
const key = "ada-0123456789abcdef";

/** Collects the lines of level `error`, with all their content. */
function createErrorLog() {
  const lines: string[] = [];
  const nothing = () => undefined;
  const error = (fields: object, message: string) =>
    void lines.push(`${message} ${inspect(fields, { depth: 10 })}`);
  const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error };
  return { lines, logger };
}

/** A provider that breaks in an unforeseen way, for the personas that `breaks` names. */
function brokenProvider(breaks: (request: ProviderRequest) => boolean, at: "choice" | "call"): TroupeOptions {
  const provider: Provider = {
    name: "broken",
    simulated: false,
    async *stream(request) {
      yield* [];
      if (breaks(request)) throw new TypeError(canary);
      yield [
        { type: "text", text: "Fine." },
        { type: "end", finishReason: "stop", model: "m" },
      ];
    },
  };
  return {
    providers: {
      choose(api) {
        if (at === "choice") throw new TypeError(canary);
        return { provider, api, model: "m" };
      },
    },
  };
}

const chat = { type: "chat", id: "r", data: { message: "Hi", persona_id: "teacher" } };
const unnamed = { type: "chat", data: { message: "Hi", persona_id: "teacher" } };
const openaiChat = { type: "openai_chat", id: "r", data: { input_text: "Hi" } };
const persona_ids = ["teacher", "skeptic", "historian"];
const multiChat = { type: "multi_chat", id: "r", data: { message: "Hi", persona_ids } };
const everyOne = () => true;
const teacher = builtinPersonas.find(({ id }) => id === "teacher")?.instructions ?? "";
const theTeacher = ({ instructions = "" }: ProviderRequest) => instructions.startsWith(teacher);

async function askUntilEnd(server: RunningTroupe, frame: object): Promise<string> {
  const client = await server.connect();
  client.send(frame);
  const end = await client.next(({ type }) => type === "error" || type === "response");
  return end.type === "error" ? end.code : end.type;
}

describe("an internal error is one line in the log, with its cause", () => {
  for (const [name, frame, options, end, count] of [
    ["of a call", openaiChat, brokenProvider(everyOne, "call"), "internal_error", 1],
    ["of a persona", chat, brokenProvider(everyOne, "call"), "internal_error", 1],
    ["of one persona of several", multiChat, brokenProvider(theTeacher, "call"), "response", 1],
    ["of all personas", multiChat, brokenProvider(everyOne, "call"), "all_personas_failed", 3],
    ["before a turn begins", chat, brokenProvider(everyOne, "choice"), "internal_error", 1],
    ["before a turn without an id begins", unnamed, brokenProvider(everyOne, "choice"), "internal_error", 1],
  ] as const) {
    it(name, async () => {
      const { lines, logger } = createErrorLog();
      await using server = await startTroupe({ ...options, logger });
      assert.equal(await askUntilEnd(server, frame), end);
      assert.equal(lines.length, count, lines.join("\n"));
      for (const line of lines) assert.ok(line.includes(canary), line);
      assert.equal(server.troupe.stats().turns, 0);
    });
  }

  it("of a store that no disk broke: on the socket, over HTTP and in a handshake", async () => {
    await using place = await createDataFolder();
    const { lines, logger } = createErrorLog();
    const apiKeys = [{ owner: "ada", key }];
    const clock = createTestClock({ instantMs: 1_000 });
    await using server = await startTroupe({ store: "sqlite", data: place.folder, logger, apiKeys, clock });
    const headers = { authorization: `Bearer ${key}` };
    const client = await server.connect({ headers });
    const database = openBeside(place.database);
    for (const table of ["conversations", "messages", "usage", "turns", "keys"])
      database.exec(`ALTER TABLE ${table} RENAME TO ${table}_elsewhere`);
    database.close();

    /** Does something that fails inside the server, and checks that it adds one line to the log. */
    async function adds(what: string, act: () => Promise<unknown>, expected: unknown): Promise<void> {
      const before = lines.length;
      assert.equal(await act(), expected, what);
      assert.equal(lines.length, before + 1, `${what}: ${lines.slice(before).join("\n")}`);
      assert.match(lines.at(-1) ?? "", /no such table/, what);
    }
    async function codeOf(frame: object): Promise<unknown> {
      client.send(frame);
      const reply = await client.next(({ type }) => type === "error");
      return reply.type === "error" && reply.code;
    }
    for (const frame of [
      chat,
      openaiChat,
      { type: "resume", data: { request_id: "x", after_seq: 0 } },
      { type: "follow", data: { conversation_id: "x" } },
      { type: "cancel", data: { request_id: "x" } },
    ])
      await adds(frame.type, () => codeOf(frame), "internal_error");
    for (const route of ["conversations", "conversations/x", "usage", "requests/x"])
      await adds(route, async () => (await fetch(`${server.httpUrl}/api/${route}`, { headers })).status, 500);
    await adds(
      "a handshake",
      async () => {
        using socket = await createRawClient(server.httpUrl);
        await socket.send(handshakeText(["authorization: Bearer troupe_of_nobody_that_is_known"]));
        return (await socket.rest()).slice(0, 12);
      },
      "HTTP/1.1 500",
    );
    // A request without an id is not looked up. It has started when the store fails, so its failed writes are logged as
    // well, some of them after the reply: it comes last, where no count follows.
    const before = lines.length;
    assert.equal(await codeOf(unnamed), "internal_error");
    assert.ok(lines.length > before && lines.slice(before).every((line) => line.includes("no such table")));
  });
});
