import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chatAnswer, refusal, resumed } from "./answers.ts";
import { collect, eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const question = { message: "Count.", persona_id: "ada" };
const answer = chatAnswer("r", 8);

/** Answers a request with its first three messages, and a `resume` with the rest. */
const halves = () =>
  startScriptedServer((frame, connection) => {
    if (frame.type === "chat") connection.send(...chatAnswer(frame.id ?? "r", 8).slice(0, 3));
    if (frame.type !== "resume") return;
    const rest = chatAnswer(String(frame.data?.request_id), 8).slice(Number(frame.data?.after_seq));
    connection.send(resumed(frame.id ?? "", 8), ...rest);
  });

describe("a client that disconnects", () => {
  it("leaves its requests unfollowed, and the next connection picks them up", async () => {
    await using server = await halves();
    using client = eagerClient(server.url);
    const request = client.request("chat", question, { id: "r" });
    const received = [];
    const standings = [request.standing];
    for await (const message of request) {
      received.push(message);
      if (received.length !== 3) continue;
      standings.push(request.standing);
      client.disconnect();
      client.disconnect();
      standings.push(request.standing);
      assert.deepEqual(client.state, { name: "idle" });
      client.connect();
    }
    standings.push(request.standing);
    assert.deepEqual(received, answer);
    assert.deepEqual(standings, ["unsent", "followed", "unfollowed", "ended"]);
    assert.deepEqual(server.frames.slice(1), [
      { type: "resume", id: "r", data: { request_id: "r", after_seq: 3 } },
    ]);
  });

  it("picks up all that runs with its next request, and then sends the cancel of meanwhile", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "chat") connection.send(...chatAnswer(frame.id ?? "", 8).slice(0, 3));
      if (frame.type === "resume") connection.send(resumed("r", 3));
      if (frame.type === "cancel") connection.send(...answer.slice(3));
    });
    using client = eagerClient(server.url);
    const first = client.request("chat", question, { id: "r" });
    for await (const message of first) if ("seq" in message && message.seq === 3) break;
    client.disconnect();
    first.cancel();
    const second = client.request("chat", question, { id: "s" });
    for await (const message of second) if ("seq" in message && message.seq === 3) break;
    assert.deepEqual(await collect(first), answer);
    assert.deepEqual(
      server.frames.map(({ type, id }) => `${type} ${id}`),
      ["chat r", "resume r", "chat s", "cancel r"],
    );
  });

  it("keeps a request that was never sent, and loses only one that has no name", async () => {
    await using server = await halves();
    using client = eagerClient(server.url);
    const unsent = client.request("chat", question, { id: "r" });
    client.disconnect();
    assert.equal(unsent.standing, "unsent");
    assert.deepEqual(server.frames, []);
    client.connect();
    for await (const message of unsent) if ("seq" in message && message.seq === 3) break;

    const nameless = client.request("chat", { ...question, persona_id: "eve" }, { id: false });
    client.disconnect();
    await assert.rejects(nameless.done, { code: "lost" });
    client.connect();
    assert.equal((await unsent.done).seq, 8);
  });

  it("ends a wait and an attempt, and nothing comes of either", async () => {
    await using server = await halves();
    using client = eagerClient(server.url);
    client.connect();
    client.disconnect();
    assert.deepEqual(client.state, { name: "idle" });
    client.close();
    client.disconnect();
    assert.equal(client.state.name, "closed");
    assert.throws(() => client.resume("r"), { code: "closed" });
  });
});

describe("a request that was asked elsewhere", () => {
  for (const after of [undefined, 0, 3, 6]) {
    it(`is resumed after ${after}, over cuts, and can be stopped`, async () => {
      await using server = await startScriptedServer((frame, connection) => {
        const from = Number(frame.data?.after_seq);
        if (frame.type === "cancel") connection.send(...answer.slice((after ?? 0) + 1));
        else if (connection.index === 0) connection.drop();
        else connection.send(resumed("r", 8), ...answer.slice(from, from + 1));
      });
      using client = eagerClient(server.url);
      const request = client.resume("r", after === undefined ? {} : { after });
      assert.deepEqual([request.id, request.standing], ["r", "unfollowed"]);
      request.cancel();
      assert.deepEqual(await collect(request), answer.slice(after ?? 0));
      assert.equal((await request.done).request_id, "r");
      assert.equal(server.frames[0]?.data?.after_seq, after ?? 0);
      assert.ok(server.frames.some((frame) => frame.type === "cancel"));
    });
  }

  for (const code of ["request_not_found", "seq_out_of_range"] as const) {
    it(`ends with \`${code}\` and is not asked for again`, async () => {
      await using server = await startScriptedServer((frame, connection) =>
        connection.send(refusal(code, frame)),
      );
      using client = eagerClient(server.url);
      await assert.rejects(client.resume("r").done, { code });
      assert.deepEqual(
        server.frames.map((frame) => frame.type),
        ["resume"],
      );
    });
  }

  it("is refused while this client has it", async () => {
    await using server = await halves();
    using client = eagerClient(server.url);
    client.request("chat", question, { id: "r" });
    assert.throws(() => client.resume("r"), { code: "request_id_conflict" });
  });
});
