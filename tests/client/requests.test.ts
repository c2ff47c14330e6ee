import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeRequestError } from "../../src/client/index.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { chatAnswer, chatResponse, refusal, resumed } from "./answers.ts";
import { collect, eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const question = { message: "Count.", persona_id: "ada" };

describe("a request", () => {
  it("is named by this side and ends with its response", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      connection.send(...chatAnswer(frame.id ?? "", 8));
    });
    using client = eagerClient(server.url, { newId: () => "made-here" });
    const request = client.request("chat", { ...question, temperature: 0.5 });
    assert.equal((await request.done).request_id, "made-here");
    assert.equal(request.id, "made-here");
    assert.deepEqual(server.frames, [
      { type: "chat", id: "made-here", data: { ...question, temperature: 0.5 } },
    ]);
  });

  it("gives every reader all of its messages", async () => {
    await using server = await startScriptedServer((_frame, connection) => {
      connection.send(...chatAnswer("r", 8));
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    await request.done;
    assert.deepEqual(await collect(request), chatAnswer("r", 8));
    assert.deepEqual(await collect(request), chatAnswer("r", 8));
  });

  it("ends with the error that refuses it, and names the field", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      connection.send({ ...refusal("invalid_message", frame), field: "data.temperature" });
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", { ...question, temperature: 9 });
    assert.deepEqual(
      (await collect(request)).map((message) => message.type),
      ["error"],
    );
    await assert.rejects(request.done, {
      code: "invalid_message",
      field: "data.temperature",
      retryable: false,
    });
  });

  it("ends with the numbered error that ends it", async () => {
    await using server = await startScriptedServer((_frame, connection) => {
      const error = { status: "error", code: "rate_limited", message: "Later.", retryable: true } as const;
      connection.send(...chatAnswer("r", 8).slice(0, 3), {
        type: "error",
        ...error,
        retry_after_ms: 1500,
        request_id: "r",
        seq: 4,
      });
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    await assert.rejects(request.done, { code: "rate_limited", retryable: true, retryAfterMs: 1500 });
    assert.equal((await collect(request)).length, 4);
  });

  it("ends with `closed` when the client is closed, for readers too", async () => {
    await using server = await startScriptedServer((_frame, connection) => {
      connection.send(...chatAnswer("r", 8).slice(0, 2));
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    const received: ServerMessage[] = [];
    await assert.rejects(
      async () => {
        for await (const message of request) {
          received.push(message);
          if (received.length === 2) client.close();
        }
      },
      { code: "closed" },
    );
    assert.equal(received.length, 2);
    assert.throws(() => client.request("chat", question), { code: "closed" });
  });

  it("is refused on this side where its id is in use or it is too big", async () => {
    await using server = await startScriptedServer(() => undefined);
    using client = eagerClient(server.url);
    client.request("chat", question, { id: "r" });
    assert.throws(() => client.request("chat", question, { id: "r" }), { code: "request_id_conflict" });
    const message = "é".repeat(530_000);
    assert.throws(() => client.request("chat", { ...question, message }), TroupeRequestError);
    assert.throws(() => client.request("chat", { ...question, message }), { code: "message_too_big" });
  });

  it("survives frames that are no messages and messages it does not know", async () => {
    await using server = await startScriptedServer((_frame, connection) => {
      const [first, ...rest] = chatAnswer("r", 8);
      const strange = [
        null,
        [],
        7,
        { type: 3 },
        { type: "chunk", request_id: "r", seq: 1.5 },
        { type: "novelty" },
      ];
      const known = first === undefined ? [] : [first];
      connection.send(...(strange as ServerMessage[]), ...known, ...rest);
    });
    using client = eagerClient(server.url);
    const received = await collect(client.request("chat", question, { id: "r" }));
    assert.deepEqual(received, chatAnswer("r", 8));
  });
});

describe("a cancel", () => {
  const cancelled: ServerMessage = {
    ...chatResponse("r", 4, "part 0 "),
    status: "cancelled",
    finish_reason: "cancelled",
  };

  it("is sent once, and the request ends with what the server says", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") connection.send(...chatAnswer("r", 8).slice(0, 3));
      else connection.send(cancelled);
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    for await (const message of request) {
      if (message.type !== "status") continue;
      request.cancel();
      request.cancel();
    }
    assert.equal((await request.done).status, "cancelled");
    request.cancel();
    assert.deepEqual(server.frames.slice(1), [{ type: "cancel", id: "r", data: { request_id: "r" } }]);
  });

  it("of a lane names its persona", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") connection.send(...chatAnswer("r", 8).slice(0, 3));
      else connection.send(...chatAnswer("r", 8).slice(3));
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    for await (const _ of request) request.cancel("ada");
    assert.deepEqual(server.frames.at(1)?.data, { request_id: "r", persona_id: "ada" });
  });

  it("that a drop swallowed is sent again after the request is resumed", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") connection.send(...chatAnswer("r", 8).slice(0, 3));
      else if (frame.type === "resume") connection.send(resumed("r", 3));
      else if (connection.index === 0) connection.drop();
      else connection.send(cancelled);
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    for await (const message of request) if ("seq" in message && message.seq === 3) request.cancel();
    assert.deepEqual(
      server.frames.map((frame) => frame.type),
      ["chat", "cancel", "resume", "cancel"],
    );
  });

  it("of a request that the server never saw ends it here", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (connection.index === 0) connection.drop();
      else connection.send(refusal("request_not_found", frame));
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    const unsent = client.request("chat", question);
    unsent.cancel();
    await assert.rejects(unsent.done, { code: "cancelled" });
    const stop = client.subscribe(() => {
      if (client.state.name === "waiting") request.cancel();
    });
    await assert.rejects(request.done, { code: "cancelled" });
    stop();
    assert.deepEqual(
      server.frames.map((frame) => frame.type),
      ["chat", "resume"],
    );
  });

  it("that comes too late changes nothing, one that is refused is told of", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") connection.send(...chatAnswer("r", 8).slice(0, 3));
      else if (frame.data?.persona_id === "eve") connection.send(refusal("persona_not_found", frame));
      else connection.send(refusal("request_ended", frame), ...chatAnswer("r", 8).slice(3));
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    const types = [];
    for await (const message of request) {
      types.push(message.type);
      if (message.type === "status" && message.status === "streaming") request.cancel("eve");
      if (message.type === "error") request.cancel();
    }
    assert.deepEqual(types, [
      ...["status", "status", "status", "error"],
      ...["chunk", "chunk", "chunk", "status", "response"],
    ]);
  });
});

describe("a request without an id", () => {
  it("takes the names that the server gives, in order", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (server.frames.length === 1) return;
      assert.equal(frame.id, undefined);
      connection.send(...chatAnswer("first", 7), ...chatAnswer("second", 8));
    });
    using client = eagerClient(server.url);
    const requests = [1, 2].map(() => client.request("chat", question, { id: false }));
    const ends = await Promise.all(requests.map((request) => request.done));
    assert.deepEqual(
      ends.map((end) => [end.request_id, end.seq]),
      [
        ["first", 7],
        ["second", 8],
      ],
    );
    assert.deepEqual(
      requests.map((request) => request.id),
      ["first", "second"],
    );
  });

  it("is refused, cancelled and resumed like any other once it has a name", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.data?.message === "bad") connection.send(refusal("persona_not_found", { type: "chat" }));
      else if (frame.type === "chat") connection.send(...chatAnswer("r", 8).slice(0, 2));
      else if (frame.type === "cancel") connection.drop();
      else connection.send(resumed("r", 8), ...chatAnswer("r", 8).slice(2));
    });
    using client = eagerClient(server.url);
    const refused = client.request("chat", { ...question, message: "bad" }, { id: false });
    await assert.rejects(refused.done, { code: "persona_not_found" });
    const request = client.request("chat", question, { id: false });
    request.cancel();
    assert.deepEqual(await collect(request), chatAnswer("r", 8));
    assert.deepEqual(
      server.frames.slice(2, 4).map((frame) => [frame.type, frame.data?.request_id]),
      [
        ["cancel", "r"],
        ["resume", "r"],
      ],
    );
  });

  it("ends with `lost` when the connection breaks before it has one", async () => {
    await using server = await startScriptedServer((_frame, connection) => connection.drop());
    using client = eagerClient(server.url);
    await assert.rejects(client.request("chat", question, { id: false }).done, {
      code: "lost",
      retryable: true,
    });
  });
});

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
