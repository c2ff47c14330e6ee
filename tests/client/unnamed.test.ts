import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatAnswer, refusal, resumed } from "./answers.ts";
import { collect, eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const question = { message: "Count.", persona_id: "ada" };

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
