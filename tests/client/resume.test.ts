import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatAnswer, refusal, resumed } from "./answers.ts";
import { collect, eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const length = 20;
const question = { message: "Count.", persona_id: "ada" };

describe("a dropped connection", () => {
  for (let cut = 0; cut <= length; cut += 1) {
    it(`after message ${cut} of ${length} leaves every message once and in order`, async () => {
      const answer = chatAnswer("r", length);
      await using server = await startScriptedServer((frame, connection) => {
        if (frame.type === "chat" && cut === 0 && connection.index === 0) connection.drop();
        else if (frame.type === "chat") connection.send(...answer.slice(0, cut));
        else if (frame.type === "resume") {
          connection.send(resumed("r", length), ...answer.slice(Number(frame.data?.after_seq)));
        }
      });
      using client = eagerClient(server.url);
      const request = client.request("chat", question, { id: "r" });

      const received = [];
      for await (const message of request) {
        received.push(message);
        if (received.length === cut) server.connection.drop();
      }

      assert.deepEqual(received, answer);
      const resumes = server.frames.filter((frame) => frame.type === "resume").map((frame) => frame.data);
      assert.deepEqual(resumes, cut === length ? [] : [{ request_id: "r", after_seq: cut }]);
    });
  }

  it("after every single message still gives the whole answer", async () => {
    const answer = chatAnswer("r", length);
    await using server = await startScriptedServer((frame, connection) => {
      const after = frame.type === "resume" ? Number(frame.data?.after_seq) : 0;
      connection.send(resumed("r", length), ...answer.slice(after, after + 1));
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });

    const received = [];
    for await (const message of request) {
      received.push(message);
      server.connection.drop();
    }
    assert.deepEqual(received, answer);
  });

  it("resumes each of several requests from its own position", async () => {
    const answers = { a: chatAnswer("a", 8), b: chatAnswer("b", 10) };
    await using server = await startScriptedServer((frame, connection) => {
      const id = frame.id === "a" ? "a" : "b";
      if (frame.type === "chat") connection.send(...answers[id].slice(0, id === "a" ? 2 : 5));
      else connection.send(resumed(id, 1), ...answers[id].slice(Number(frame.data?.after_seq)));
    });
    using client = eagerClient(server.url);
    const first = client.request("chat", question, { id: "a" });
    const second = client.request("chat", question, { id: "b" });
    for await (const message of second) if ("seq" in message && message.seq === 5) break;
    server.connection.drop();

    assert.deepEqual(await collect(first), answers.a);
    assert.deepEqual(await collect(second), answers.b);
    assert.deepEqual(
      server.frames.filter((frame) => frame.type === "resume").map((frame) => frame.data?.after_seq),
      [2, 5],
    );
  });

  it("lets a request that was asked meanwhile wait for the next connection", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.id === "r") connection.send(...chatAnswer("r", 6));
    });
    using client = eagerClient(server.url);
    client.connect();
    const request = client.request("chat", question, { id: "r" });
    assert.equal((await request.done).seq, 6);
  });
});

describe("the order of a request's messages", () => {
  it("drops repeated messages", async () => {
    const answer = chatAnswer("r", 9);
    await using server = await startScriptedServer((_frame, connection) => {
      connection.send(...answer.slice(0, 4), ...answer.slice(1, 6), ...answer);
    });
    using client = eagerClient(server.url);
    assert.deepEqual(await collect(client.request("chat", question, { id: "r" })), answer);
  });

  it("treats a gap as a reason to resume, once", async () => {
    const answer = chatAnswer("r", 12);
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") connection.send(...answer.slice(0, 4), ...answer.slice(5, 8));
      else connection.send(resumed("r", 12), ...answer.slice(Number(frame.data?.after_seq)));
    });
    using client = eagerClient(server.url);
    assert.deepEqual(await collect(client.request("chat", question, { id: "r" })), answer);
    assert.deepEqual(
      server.frames.map((frame) => [frame.type, frame.data?.after_seq]),
      [
        ["chat", undefined],
        ["resume", 4],
      ],
    );
  });

  it("gives up on a gap that the server does not fill", async () => {
    const answer = chatAnswer("r", 12);
    await using server = await startScriptedServer((frame, connection) => {
      const from = frame.type === "chat" ? 0 : 5;
      connection.send(
        ...(from === 0 ? [] : [resumed("r", 12)]),
        ...answer.slice(from, 4),
        ...answer.slice(5),
      );
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    await assert.rejects(collect(request), { code: "lost" });
    await assert.rejects(request.done, { name: "TroupeRequestError", code: "lost", retryable: true });
  });

  it("goes on after a numbered reset, which is a message like any other", async () => {
    const answer = chatAnswer("r", 12);
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") {
        connection.send(...answer.slice(0, 4));
        connection.drop();
      } else {
        const lanes = [{ persona_id: "ada", text: "" }];
        connection.send(
          resumed("r", 12),
          { type: "reset", request_id: "r", seq: 5, lanes },
          ...answer.slice(5),
        );
      }
    });
    using client = eagerClient(server.url);
    const received = await collect(client.request("chat", question, { id: "r" }));
    assert.deepEqual(
      received.map((message) => "seq" in message && message.seq),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    );
  });

  it("goes on after a reset", async () => {
    const answer = chatAnswer("r", 12);
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") connection.send(...answer.slice(0, 4), ...answer.slice(6, 7));
      else {
        const lanes = [{ persona_id: "ada", text: "part 0 part 1 " }];
        connection.send(
          resumed("r", 12),
          { type: "reset", request_id: "r", through_seq: 10, lanes },
          ...answer.slice(9),
        );
      }
    });
    using client = eagerClient(server.url);
    const received = await collect(client.request("chat", question, { id: "r" }));
    assert.deepEqual(
      received.map((message) => ("seq" in message ? message.seq : message.type)),
      [1, 2, 3, 4, "reset", 11, 12],
    );
  });
});

describe("a server that does not know the request", () => {
  it("is asked again under the same id if no message had arrived yet", async () => {
    const answer = chatAnswer("r", 7);
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "resume") connection.send(refusal("request_not_found", frame));
      else if (connection.index === 0) connection.drop();
      else connection.send(...answer);
    });
    using client = eagerClient(server.url);
    assert.deepEqual(await collect(client.request("chat", question, { id: "r" })), answer);
    const [first, second, third] = server.frames;
    assert.deepEqual([first?.type, second?.type], ["chat", "resume"]);
    assert.deepEqual(third, first);
  });

  it("ends a request that had started", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "resume") connection.send(refusal("request_not_found", frame));
      else connection.send(...chatAnswer("r", 7).slice(0, 3));
    });
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    const received = [];
    for await (const message of request) {
      received.push(message.type);
      if (received.length === 3) server.connection.drop();
    }
    assert.deepEqual(received, ["status", "status", "status", "error"]);
    await assert.rejects(request.done, { code: "request_not_found" });
  });

  it("because it shuts down gets the request again after its restart", async () => {
    const answer = chatAnswer("r", 7);
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "resume") connection.send(refusal("request_not_found", frame));
      else if (connection.index === 1) connection.send(...answer);
      else {
        connection.send(refusal("shutting_down", frame));
        connection.close(1012);
      }
    });
    using client = eagerClient(server.url);
    assert.deepEqual(await collect(client.request("chat", question, { id: "r" })), answer);
  });
});
