import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRequestStore, type RequestStore, type ShownRequest } from "../../src/react/request-store.ts";
import { chatAnswer, refusal, resumed } from "../client/answers.ts";
import { startScriptedServer } from "../client/scripted-server.ts";

const question = { message: "Count.", persona_id: "ada" };

/** Waits for notices from the store until the newest request is as expected. */
async function untilShown(store: RequestStore, isRight: (shown: ShownRequest) => boolean) {
  for (;;) {
    const shown = store.snapshot().requests.at(-1);
    if (shown !== undefined && isRight(shown)) return shown;
    await new Promise<void>((resolve) => {
      const stop = store.subscribe(() => {
        stop();
        resolve();
      });
    });
  }
}

/** Answers a request with `seen` messages, and a `resume` with the rest. */
const inParts = (seen: number) =>
  startScriptedServer((frame, connection) => {
    const answer = chatAnswer(String(frame.data?.request_id ?? frame.id), 8);
    if (frame.type === "chat" && frame.data?.message !== "again") connection.send(...answer.slice(0, seen));
    else connection.send(resumed(frame.id ?? "", 8), ...answer.slice(Number(frame.data?.after_seq ?? 0)));
  });

describe("the requests of a component", () => {
  it("are named as asked, hold the question, and say where they stand", async () => {
    await using server = await inParts(8);
    const store = createRequestStore();
    const close = store.open({ url: server.url });
    assert.equal(store.send("chat", question, { id: "mine" }), "mine");
    const { id, type, standing } = await untilShown(store, ({ standing }) => standing === "unsent");
    assert.deepEqual([id, type, standing], ["mine", "chat", "unsent"]);
    const ended = await untilShown(store, ({ standing }) => standing === "ended");
    assert.deepEqual([ended.question, ended.transcript.status], ["Count.", "completed"]);

    for (const [asked, shown] of [
      [{ input_text: "A model?" }, "A model?"],
      [{ input_text: undefined, options: { input: [] } }, ""],
    ] as const) {
      store.send("openai_chat", asked as never);
      assert.equal(store.snapshot().requests.at(-1)?.question, shown);
    }
    // A request that is sent again under its id is shown once.
    store.send("chat", { ...question, message: "again" }, { id: "mine" });
    const ids = store.snapshot().requests.map((shown) => shown.id);
    assert.equal(ids.filter((one) => one === "mine").length, 1);
    close();
  });

  it("are not followed while disconnected, and go on with the next connection", async () => {
    await using server = await inParts(5);
    const store = createRequestStore();
    const close = store.open({ url: server.url });
    store.send("chat", question, { id: "r" });
    const before = await untilShown(store, ({ transcript }) => transcript.seq === 5);
    assert.equal(before.standing, "followed");
    store.disconnect();
    const left = await untilShown(store, ({ standing }) => standing === "unfollowed");
    assert.deepEqual([left.transcript, store.snapshot().state], [before.transcript, { name: "idle" }]);
    store.connect();
    const { transcript } = await untilShown(store, ({ standing }) => standing === "ended");
    assert.deepEqual([transcript.status, transcript.lanes[0]?.text], ["completed", "part 0 part 1 part 2 "]);
    close();
  });

  for (const seen of [0, 1, 5]) {
    it(`go on after message ${seen} when the component connects to its server again`, async () => {
      await using server = await inParts(seen);
      const store = createRequestStore();
      const close = store.open({ url: server.url });
      store.send("chat", { ...question, message: seen === 0 ? "once" : "Count." }, { id: "r" });
      await untilShown(
        store,
        ({ transcript, standing }) => transcript.seq === seen && standing === "followed",
      );
      close();
      assert.equal(store.snapshot().requests[0]?.transcript.status, "unfollowed");
      // Another address is another server, which does not know the request.
      store.open({ url: "ws://127.0.0.1:9/ws", fetch: false })();
      assert.equal(store.snapshot().requests[0]?.transcript.status, "unfollowed");

      const closeAgain = store.open({ url: server.url });
      assert.notEqual(store.snapshot().requests[0]?.transcript.status, "unfollowed");
      if (seen > 0) {
        const { transcript } = await untilShown(store, ({ standing }) => standing === "ended");
        assert.deepEqual([transcript.status, transcript.seq], ["completed", 8]);
      } else {
        await untilShown(store, ({ standing }) => standing === "followed");
        // The server reads in order, so an answer to this one shows that it has read all before.
        store.send("chat", { ...question, message: "again" }, { id: "r2" });
        await untilShown(store, ({ standing }) => standing === "ended");
        assert.equal(server.frames.at(-1)?.id, "r2");
      }
      closeAgain();
      // A request without any message is asked again under its id. One with messages is resumed.
      assert.deepEqual(
        server.frames.slice(0, 2).map(({ type, id, data }) => [type, id, data?.after_seq]),
        [["chat", "r", undefined], seen === 0 ? ["chat", "r", undefined] : ["resume", "r", seen]],
      );
    });
  }

  it("from before a reload are shown again by their ids", async () => {
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.id === "gone") connection.send(refusal("request_not_found", frame));
      else connection.send(resumed("r", 8), ...chatAnswer("r", 8));
    });
    const store = createRequestStore();
    const close = store.open({ url: server.url });
    store.resume("chat", "gone", "Forgotten?");
    const gone = await untilShown(store, ({ standing }) => standing === "ended");
    assert.deepEqual([gone.question, gone.transcript.error?.code], ["Forgotten?", "request_not_found"]);
    store.resume("chat", "r", "Count.");
    const { transcript, question: asked } = await untilShown(store, ({ standing }) => standing === "ended");
    assert.deepEqual([asked, transcript.lanes[0]?.text], ["Count.", "part 0 part 1 part 2 "]);
    close();
    assert.throws(() => store.send("chat", question), { code: "closed" });
  });
});
