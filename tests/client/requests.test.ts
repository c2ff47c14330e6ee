import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TroupeRequestError } from "../../src/client/index.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { chatAnswer, refusal } from "./answers.ts";
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

  it("is refused by the client if its id is in use or it is too big", async () => {
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
