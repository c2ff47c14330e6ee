import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeClient } from "../../src/client/index.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { chatAnswer, chatResponse, refusal, resumed } from "./answers.ts";
import { eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const question = { message: "Count.", persona_id: "ada" };

describe("a conversation that is followed", () => {
  const asked = (requestId: string): ServerMessage => ({
    type: "question",
    conversation_id: "c",
    request_id: requestId,
    request_type: "chat",
    message: "Count.",
    persona_ids: ["ada"],
  });

  it("gives its requests with their questions, and resumes both after a drop", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "resume") connection.send(resumed("r", 8), ...chatAnswer("r", 8).slice(3));
      else if (connection.index === 1) connection.send(asked("r"), asked("s"), ...chatAnswer("s", 6));
      else connection.send(asked("r"), ...chatAnswer("r", 8).slice(0, 3));
    });
    using client = eagerClient(server.url);
    const ends = [];
    for await (const { question: heard, request } of client.follow("c")) {
      if (heard.request_id === "r") {
        for await (const message of request) {
          if ("seq" in message && message.seq === 3) server.connection.drop();
        }
      }
      ends.push((await request.done).request_id);
      if (ends.length === 2) break;
    }
    assert.deepEqual(ends, ["r", "s"]);
    assert.deepEqual(
      server.frames.map((frame) => frame.type),
      ["follow", "follow", "resume"],
    );
  });

  it("that does not exist throws", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      connection.send(refusal("conversation_not_found", frame));
    });
    using client = eagerClient(server.url);
    await assert.rejects(
      async () => {
        for await (const _ of client.follow("c")) assert.fail("Nothing can be followed.");
      },
      { code: "conversation_not_found" },
    );
  });

  it("ends when the client is closed", async () => {
    await using server = await startScriptedServer(() => client.close());
    using client = eagerClient(server.url);
    for await (const _ of client.follow("c")) assert.fail("Nothing was asked.");
    assert.equal(client.state.name, "closed");
  });
});

describe("the client's own conversation", () => {
  it("is named to a connection that does not know it, and only there", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      const { conversation_id: named = `own of ${connection.index}` } = frame.data ?? {};
      const conversationId = named === "new" ? "another" : String(named);
      connection.send(chatResponse(frame.id ?? "", 1, "", conversationId));
    });
    using client = eagerClient(server.url);
    const ask = async (fields = {}) => {
      const { data } = await client.request("chat", { ...question, ...fields }).done;
      return data.conversation_id;
    };

    assert.equal(await ask(), "own of 0");
    assert.equal(await ask({ conversation_id: "elsewhere" }), "elsewhere");
    assert.equal(await ask(), "own of 0");
    server.connection.drop();
    await reconnected(client);
    assert.equal(await ask(), "own of 0");
    assert.equal(await ask(), "own of 0");
    assert.equal(await ask({ conversation_id: "new" }), "another");
    server.connection.drop();
    await reconnected(client);
    assert.equal(await ask(), "another");
    assert.deepEqual(
      server.frames.map((frame) => frame.data?.conversation_id),
      [undefined, "elsewhere", undefined, "own of 0", "own of 0", "new", "another"],
    );
  });

  it("is the one of the latest question, even if an earlier answer comes last", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.id === "second") {
        connection.send(chatResponse("second", 1, "", "another"), chatResponse("first", 1, "", "own"));
      } else if (frame.id === "third") connection.send(chatResponse("third", 1, ""));
    });
    using client = eagerClient(server.url);
    const first = client.request("chat", question, { id: "first" });
    await client.request("chat", { ...question, conversation_id: "new" }, { id: "second" }).done;
    await first.done;
    server.connection.drop();
    await reconnected(client);
    await client.request("chat", question, { id: "third" }).done;
    assert.equal(server.frames.at(-1)?.data?.conversation_id, "another");
  });

  it("is forgotten when a restarted server does not know it", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.data?.conversation_id === undefined)
        connection.send(chatResponse(frame.id ?? "", 1, "", "own"));
      else connection.send(refusal("conversation_not_found", frame));
    });
    using client = eagerClient(server.url);
    await client.request("chat", question).done;
    server.connection.drop();
    await reconnected(client);
    await assert.rejects(client.request("chat", question).done, { code: "conversation_not_found" });
    assert.equal((await client.request("chat", question).done).data.conversation_id, "own");
  });

  it("is asked in while the connection is still down", async () => {
    await using server = await startScriptedServer((frame, connection) =>
      connection.send(...chatAnswer(frame.id ?? "", 6)),
    );
    using client = eagerClient(server.url);
    await client.request("chat", question).done;
    const waiting = Promise.withResolvers<Promise<unknown>>();
    client.subscribe(() => {
      if (client.state.name === "waiting") waiting.resolve(client.request("chat", question).done);
    });
    server.connection.drop();
    await await waiting.promise;
    assert.equal(server.frames.at(-1)?.data?.conversation_id, "conversation");
  });
});

/** Settles when the connection after the present one is open. */
function reconnected(client: TroupeClient): Promise<void> {
  return new Promise((resolve) => {
    let lost = false;
    const stop = client.subscribe(() => {
      lost ||= client.state.name === "waiting";
      if (!lost || client.state.name !== "open") return;
      stop();
      resolve();
    });
  });
}
