import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { chatAnswer, chatResponse, refusal, resumed } from "./answers.ts";
import { eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const question = { message: "Count.", persona_id: "ada" };

describe("a cancel", () => {
  const cancelled: ServerMessage = {
    ...chatResponse("r", 4, "part 0 "),
    status: "cancelled",
    finish_reason: "cancelled",
  };

  it("is sent once, and the request ends as the server says", async () => {
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

  it("of a lane is not sent again once the lane has ended", async () => {
    const [starting] = chatAnswer("r", 8);
    assert.ok(starting?.type === "status");
    const stopped: ServerMessage = {
      type: "persona_response",
      persona_id: "ada",
      response: "",
      index: 0,
      status: "cancelled",
      persona: { id: "ada", name: "Ada", description: "Counts." },
      model: "scripted",
      api: "openai",
      request_id: "r",
      seq: 2,
    };
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "multi_chat" && connection.index === 0) connection.send(starting);
      else if (frame.type === "multi_chat") connection.send(chatResponse("r", 1, ""));
      else if (frame.type === "cancel") connection.send(stopped);
      else connection.send(resumed("r", 2), chatResponse("r", 3, ""));
    });
    using client = eagerClient(server.url);
    const request = client.request(
      "multi_chat",
      { message: "Count.", persona_ids: ["ada", "eve"] },
      { id: "r" },
    );
    for await (const message of request) {
      if (message.type === "status") request.cancel("ada");
      if (message.type === "persona_response") server.connection.drop();
    }
    await client.request("multi_chat", { message: "Count.", persona_ids: ["ada"] }, { id: "r" }).done;
    assert.deepEqual(
      server.frames.map((frame) => frame.type),
      ["multi_chat", "cancel", "resume", "multi_chat"],
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

  it("that arrives too late changes nothing, and a refused one is reported", async () => {
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
