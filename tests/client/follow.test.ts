import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FollowedRequest } from "../../src/client/index.ts";
import { LongMessage } from "../../src/doors/websocket/long-message.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { chatAnswer, chatResponse, refusal } from "./answers.ts";
import { eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const asked = (requestId: string): ServerMessage => ({
  ...{ type: "question", conversation_id: "c", request_id: requestId, request_type: "chat" },
  ...{ message: "Count.", persona_ids: ["ada"] },
});
const following = (last?: string): ServerMessage => ({
  ...{ type: "following", conversation_id: "c", running: [] },
  ...(last === undefined ? {} : { last_request_id: last }),
});

async function take(followed: AsyncIterable<FollowedRequest>, count: number): Promise<string[]> {
  const ids: string[] = [];
  if (count > 0)
    for await (const { request } of followed) {
      ids.push((await request.done).request_id);
      if (ids.length === count) break;
    }
  return ids;
}

describe("the position of a follow", () => {
  it("is the newest question that came, so that nothing is missed while the connection is away", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type !== "follow") return;
      const ids = connection.index === 0 ? ["r", "s"] : ["t"];
      connection.send(following("q"), ...ids.flatMap((id) => [asked(id), ...chatAnswer(id, 6)]));
    });
    using client = eagerClient(server.url);
    const followed = client.follow("c");
    assert.deepEqual(await take(followed, 2), ["r", "s"]);
    server.connection.drop();
    assert.deepEqual(await take(followed, 3), ["r", "s", "t"]);
    assert.deepEqual(
      server.frames.map(({ data }) => data),
      [{ conversation_id: "c" }, { conversation_id: "c", after: "s" }],
    );
  });

  it("is the newest request of the conversation if no question came, or the one that the caller names", async () => {
    await using server = await startScriptedServer((_frame, connection) => {
      connection.send(following("newest"));
      if (connection.index === 0) connection.drop();
      else connection.send(asked("r"), ...chatAnswer("r", 6));
    });
    using client = eagerClient(server.url);
    assert.deepEqual(await take(client.follow("c"), 1), ["r"]);
    assert.deepEqual(server.frames.at(-1)?.data, { conversation_id: "c", after: "newest" });
    using other = eagerClient(server.url);
    await take(other.follow("c", { after: "mine" }), 1);
    assert.deepEqual(server.frames.at(-1)?.data, { conversation_id: "c", after: "mine" });
  });

  it("is given up when the server has forgotten it since, and refused where the caller named it", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.data?.after !== undefined) connection.send(refusal("request_not_found", frame));
      else if (connection.index === 0) {
        connection.send(following("old"));
        connection.drop();
      } else connection.send(following(), asked("r"), ...chatAnswer("r", 6));
    });
    using client = eagerClient(server.url);
    assert.deepEqual(await take(client.follow("c"), 1), ["r"]);
    using other = eagerClient(server.url);
    await assert.rejects(take(other.follow("c", { after: "never" }), 1), { code: "request_not_found" });
  });
});

it("a client's own question is not given as another's when it comes again", async () => {
  await using server = await startScriptedServer((frame, connection) => {
    if (frame.type === "chat") connection.send(...chatAnswer("own", 6));
    else
      connection.send(
        following("q"),
        asked("own"),
        ...chatAnswer("own", 6),
        asked("r"),
        ...chatAnswer("r", 6),
      );
  });
  using client = eagerClient(server.url);
  await client.request("chat", { message: "Count.", persona_id: "ada" }, { id: "own" }).done;
  assert.deepEqual(await take(client.follow("c", { after: "q" }), 1), ["r"]);
});

it("unfollow ends the iteration and tells the server", async () => {
  await using server = await startScriptedServer((frame, connection) => {
    if (frame.type === "follow") connection.send(following(), asked("r"), ...chatAnswer("r", 6));
  });
  using client = eagerClient(server.url);
  const ids: string[] = [];
  for await (const { question } of client.follow("c")) {
    ids.push(question.request_id);
    client.unfollow("c");
  }
  assert.deepEqual(ids, ["r"]);
  client.unfollow("c");
  while (server.frames.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(server.frames.at(-1), { type: "unfollow", id: "c", data: { conversation_id: "c" } });
});

it("an answer in parts arrives whole, even if the connection breaks between two parts", async () => {
  const text = '雨 and "quotes"\n'.repeat(100_000);
  const long = LongMessage.from(JSON.stringify(chatResponse("r", 3, text)));
  assert.ok(long instanceof LongMessage);
  const messages = [...long.messages()].map((json) => JSON.parse(json) as ServerMessage);
  const start = chatAnswer("r", 6).slice(0, 2);
  await using server = await startScriptedServer((frame, connection) => {
    if (frame.type === "chat") {
      connection.send(...start, ...messages.slice(0, 5));
      connection.drop();
    } else connection.send({ type: "resumed", request_id: "r", head_seq: 3, state: "ended" }, ...messages);
  });
  using client = eagerClient(server.url);
  const { data } = await client.request("chat", { message: "Count.", persona_id: "ada" }, { id: "r" }).done;
  assert.equal("response" in data && data.response, text);
});
