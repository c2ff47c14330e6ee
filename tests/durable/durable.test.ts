import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { openBeside } from "../support/open-beside.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf } from "../support/wire-client.ts";

async function dataFolder() {
  const folder = await mkdtemp(path.join(tmpdir(), "troupe-data-"));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

const durable = (data: string, options: TroupeOptions = {}): TroupeOptions => ({
  store: "sqlite",
  data,
  clock: createTestClock({ instantMs: 1_000 }),
  ...options,
});

test("after a restart an ended answer is replayed in full, its id still attaches, and no provider is called", async () => {
  await using place = await dataFolder();
  await using upstream = await createUpstreamDouble();
  upstream.respond(streamScript(answer({ text: "One answer, kept. 😀" })));
  const options = durable(place.folder, { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  const ask = { type: "chat", id: "kept", data: { message: "Hi", persona_id: "teacher" } };
  let before: unknown;
  let conversation_id: unknown;
  {
    await using server = await startTroupe(options);
    const client = await server.connect();
    client.send(ask);
    const messages = await client.untilTerminal("kept");
    before = messages;
    const terminal = messages.at(-1);
    assert.ok(terminal?.type === "response" && terminal.request_type === "chat");
    conversation_id = terminal.data.conversation_id;
  }
  await using server = await startTroupe(options);
  const client = await server.connect();
  client.send({ type: "resume", data: { request_id: "kept", after_seq: 0 } });
  assert.deepEqual(await client.untilTerminal("kept").then((messages) => messages.slice(1)), before);
  const other = await server.connect();
  other.send(ask);
  assert.deepEqual(await other.untilTerminal("kept"), before);
  assert.equal(upstream.requests.length, 1);
  other.send({ type: "chat", data: { message: "And then?", persona_id: "teacher", conversation_id } });
  await other.next((message) => message.type === "response" && message.request_id !== "kept");
  const body = upstream.requests[1]?.body as { input: { role: string; content: string }[] } | undefined;
  assert.deepEqual(
    body?.input.map(({ content }) => content),
    ["Hi", "One answer, kept. 😀", "And then?"],
  );
});

test("a turn that the process left running ends as interrupted at the next start, its text kept and marked", async () => {
  await using place = await dataFolder();
  await using upstream = await createUpstreamDouble();
  const events = answer({ deltas: ["Half ", "an ", "answer"] });
  upstream.respond([...streamScript(events.slice(0, 6)), { hang: true }]);
  const options = durable(place.folder, { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
  await using first = await startTroupe(options);
  const client = await first.connect();
  client.send({ type: "chat", id: "cut", data: { message: "Hi", persona_id: "teacher" } });
  await client.next((message) => message.type === "chunk");
  const seen = client.received.length;

  // A second process on the same file finds the turns that the first one has not ended, as after a crash.
  await using copy = await dataFolder();
  const source = openBeside(path.join(place.folder, "troupe.db"));
  source.exec(`VACUUM INTO '${path.join(copy.folder, "troupe.db")}'`);
  source.close();
  await using second = await startTroupe({ ...options, data: copy.folder });
  const back = await second.connect();
  back.send({ type: "resume", data: { request_id: "cut", after_seq: 0 } });
  const messages = (await back.untilTerminal("cut")).slice(1);
  assert.deepEqual(messages.slice(0, seen), client.received.slice(0, seen));
  assert.deepEqual(
    messages.map((message) => "seq" in message && message.seq),
    messages.map((_, index) => index + 1),
  );
  const terminal = messages.at(-1);
  assert.ok(terminal?.type === "error" && terminal.code === "interrupted" && terminal.retryable);
  assert.equal(messages.filter((message) => message.type === "chunk" && message.is_final).length, 1);
  const database = openBeside(path.join(copy.folder, "troupe.db"), { readOnly: true });
  const stored = database.prepare("SELECT role, text, status FROM messages ORDER BY rowid").all();
  database.close();
  assert.deepEqual(
    stored.map((row) => ({ ...row })),
    [
      { role: "user", text: "Hi", status: "completed" },
      { role: "assistant", text: textOf(messages), status: "failed" },
    ],
  );
});

test("store: false leaves nothing on the disk", async () => {
  await using place = await dataFolder();
  await using upstream = await createUpstreamDouble();
  upstream.respond(streamScript(answer({ text: "The canary sings." })));
  {
    await using server = await startTroupe(
      durable(place.folder, { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl }),
    );
    const client = await server.connect();
    client.send({
      type: "openai_chat",
      id: "secret",
      data: { input_text: "A canary?", options: { store: false } },
    });
    assert.equal(textOf(await client.untilTerminal("secret")), "The canary sings.");
  }
  const bytes = await readFile(path.join(place.folder, "troupe.db"), "latin1");
  assert.ok(!/canary|secret/.test(bytes));
});

test("a database of a newer version is refused with one clear line", async () => {
  await using place = await dataFolder();
  const database = openBeside(path.join(place.folder, "troupe.db"));
  database.exec("PRAGMA user_version = 99");
  database.close();
  await assert.rejects(createTroupe(durable(place.folder)), /version 99.*newer Troupe/);
});

test("a log is replayed for its time, then its answer stands for it, and then it is forgotten; no provider is called again", async () => {
  await using place = await dataFolder();
  await using upstream = await createUpstreamDouble();
  upstream.respond(streamScript(answer({ deltas: ["One ", "answer."] })));
  const clock = createTestClock({ instantMs: 1_000 });
  const settings = { openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl };
  const times = { logRetentionMs: 3_600_000, answerRetentionMs: 2 * 3_600_000 };
  await using server = await startTroupe(durable(place.folder, { clock, ...settings, ...times }));
  const ask = { type: "chat", id: "old", data: { message: "Hi", persona_id: "teacher" } };
  const resume = { type: "resume", data: { request_id: "old", after_seq: 2 } };
  const first = await server.connect();
  first.send(ask);
  const shown = await first.untilTerminal("old");
  const terminal = shown.at(-1);
  assert.ok(terminal?.type === "response" && terminal.request_type === "chat");

  await clock.advance(1_800_000);
  const soon = await server.connect();
  soon.send(resume);
  assert.deepEqual((await soon.untilTerminal("old")).slice(1), shown.slice(2));

  await clock.advance(1_860_000);
  for (const again of [resume, ask]) {
    const late = await server.connect();
    late.send(again);
    const messages = await late.untilTerminal("old");
    const [reset, end] = messages.slice(again === ask ? 0 : 1);
    assert.ok(reset?.type === "reset" && reset.through_seq === shown.length - 1);
    assert.deepEqual(reset.lanes, [{ persona_id: "teacher", text: "One answer." }]);
    assert.deepEqual(end, terminal);
  }

  await clock.advance(3_600_000);
  const last = await server.connect();
  last.send(resume);
  const refused = await last.next((message) => message.type === "error");
  assert.ok(refused.type === "error" && refused.code === "request_not_found");
  assert.equal(upstream.requests.length, 1);
  const database = openBeside(path.join(place.folder, "troupe.db"), { readOnly: true });
  const texts = database.prepare("SELECT text FROM messages ORDER BY number").all();
  database.close();
  assert.deepEqual(
    texts.map(({ text }) => text),
    ["Hi", "One answer."],
  );
});
