import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTranscript, foldMessage, type TroupeRequest } from "../../src/client/index.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { ServerMessage, ServerMessages } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import { streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { chatAnswer, refusal, resumed } from "./answers.ts";
import { collect, eagerClient } from "./connected.ts";
import { startScriptedServer } from "./scripted-server.ts";

const question = { message: "Count.", persona_id: "ada" };
const failedAt = 5;

function failure(
  options: { code?: ErrorCode; retryable?: boolean; seq?: number } = {},
): ServerMessages["error"] {
  const { code = "upstream_error", retryable = true, seq } = options;
  const place = seq === undefined ? {} : { seq };
  return {
    type: "error",
    status: "error",
    code,
    message: "It failed.",
    retryable,
    request_id: "r",
    ...place,
  };
}

/** An attempt that fails with the error numbered 5. */
const failing: readonly ServerMessage[] = [
  ...chatAnswer("r", 12).slice(0, failedAt - 1),
  failure({ seq: failedAt }),
];
/** The next attempt, whose numbers go on from there. */
const again: readonly ServerMessage[] = [
  { type: "reset", request_id: "r", seq: failedAt + 1, lanes: [{ persona_id: "ada", text: "" }] },
  ...chatAnswer("r", 12).map((message) =>
    "seq" in message && message.seq !== undefined ? { ...message, seq: message.seq + failedAt + 1 } : message,
  ),
] as ServerMessage[];

async function failureOf(request: TroupeRequest): Promise<{ code: string; retryable: boolean }> {
  const thrown: unknown = await request.done.catch((fault: unknown) => fault);
  const { code, retryable } = thrown as { code: string; retryable: boolean };
  return { code, retryable };
}

describe("a request that is retried", () => {
  for (let cut = 0; cut <= again.length; cut += 1)
    it(`sends the number of its error, and a drop after message ${cut} of the new attempt loses and doubles nothing`, async () => {
      await using server = await startScriptedServer((frame, connection) => {
        const after = Number(frame.data?.after_seq ?? frame.data?.retry ?? 0);
        if (frame.type === "resume")
          connection.send(resumed("r", failedAt + again.length), ...again.slice(after - failedAt));
        else if (frame.data?.retry === undefined) connection.send(...failing);
        else if (connection.index > 0) connection.send(...again);
        else connection.send(...again.slice(0, cut));
        if (frame.data?.retry !== undefined && cut === 0 && connection.index === 0) connection.drop();
      });
      using client = eagerClient(server.url);
      const first = client.request("chat", question, { id: "r" });
      assert.deepEqual(await collect(first), failing);
      assert.deepEqual(await failureOf(first), { code: "upstream_error", retryable: true });

      const second = first.retry();
      assert.equal(second.id, "r");
      const received: ServerMessage[] = [];
      for await (const message of second) {
        received.push(message);
        if (received.length === cut && cut < again.length) server.connection.drop();
      }
      assert.deepEqual(received, again);
      assert.equal((await second.done).seq, failedAt + again.length);
      const [asked, ...others] = server.frames;
      const retries = others.filter(({ type }) => type === "chat");
      assert.deepEqual(
        retries.map(({ data }) => data),
        Array.from({ length: cut === 0 ? 2 : 1 }, () => ({ ...asked?.data, retry: failedAt })),
      );
      const resumes = others.filter(({ type }) => type === "resume").map(({ data }) => data?.after_seq);
      assert.deepEqual(resumes, cut === 0 || cut === again.length ? [] : [failedAt + cut]);
    });

  it("can fail and be retried again, each time from the newest error", async () => {
    const seqs: unknown[] = [];
    await using server = await startScriptedServer((frame, connection) => {
      seqs.push(frame.data?.retry);
      const from = Number(frame.data?.retry ?? 0);
      if (from < 3) connection.send(failure({ seq: from + 1 }));
      else connection.send({ ...chatAnswer("r", 12).at(-1), seq: from + 1 } as ServerMessage);
    });
    using client = eagerClient(server.url);
    let request = client.request("chat", question, { id: "r" });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await failureOf(request);
      request = request.retry();
    }
    assert.equal((await request.done).seq, 4);
    assert.deepEqual(seqs, [undefined, 1, 2, 3]);
  });

  it("ends with its end once more where the server runs it no more", async () => {
    for (const end of [failure({ seq: failedAt, retryable: false }), failure({ seq: failedAt })]) {
      await using server = await startScriptedServer((frame, connection) => {
        connection.send(...(frame.data?.retry === undefined ? failing : [end]));
      });
      using client = eagerClient(server.url);
      const first = client.request("chat", question, { id: "r" });
      await failureOf(first);
      const second = first.retry();
      assert.deepEqual(await collect(second), [end]);
      assert.equal((await failureOf(second)).retryable, end.retryable);
    }
  });

  for (const [name, end] of [
    ["an end that could not be kept", failure({ code: "storage_unavailable" })],
    ["a refusal", { ...refusal("too_many_requests", { type: "chat", id: "r" }), retryable: true }],
  ] as const)
    it(`sends the frame as it was after ${name}`, async () => {
      const answer = chatAnswer("r", 12);
      await using server = await startScriptedServer((_, connection) => {
        connection.send(...(server.frames.length === 1 ? [end] : answer));
      });
      using client = eagerClient(server.url);
      const first = client.request("chat", question, { id: "r" });
      assert.deepEqual(await failureOf(first), { code: end.code, retryable: true });
      assert.deepEqual(await collect(first.retry()), answer);
      assert.deepEqual(server.frames[1], server.frames[0]);
    });

  it("is refused for one that runs, completed, failed for good, or is another's", async () => {
    let end: ServerMessage | undefined;
    await using server = await startScriptedServer((frame, connection) => {
      if (frame.type === "follow")
        connection.send(
          { type: "following", conversation_id: "c", running: ["other"] },
          {
            ...{ type: "question", conversation_id: "c", request_id: "other", request_type: "chat" },
            ...{ message: "Hi", persona_ids: ["ada"] },
          } as ServerMessage,
          { ...failure({ seq: 1 }), request_id: "other" },
        );
      else if (end !== undefined) connection.send(end);
    });
    using client = eagerClient(server.url);
    const refused = { name: "TroupeRequestError", code: "not_retryable", retryable: false };
    const running = client.request("chat", question, { id: "runs" });
    assert.throws(() => running.retry(), refused);
    end = { ...chatAnswer("r", 12).at(-1), seq: 1 } as ServerMessage;
    const completed = client.request("chat", question, { id: "r" });
    await completed.done;
    assert.throws(() => completed.retry(), refused);
    end = failure({ seq: 1, retryable: false });
    const failed = client.request("chat", question, { id: "r" });
    await failureOf(failed);
    assert.throws(() => failed.retry(), refused);
    for await (const { request } of client.follow("c")) {
      await failureOf(request);
      assert.throws(() => request.retry(), refused);
      break;
    }
  });

  it("is shown as running again, without the text of its previous attempt", () => {
    let transcript = failing.reduce(foldMessage, createTranscript(["ada"]));
    assert.deepEqual([transcript.status, transcript.error?.code], ["failed", "upstream_error"]);
    transcript = foldMessage(transcript, again[0] as ServerMessage);
    assert.deepEqual(
      [transcript.status, transcript.error, transcript.lanes[0]?.text],
      ["running", undefined, ""],
    );
    transcript = again.slice(1).reduce(foldMessage, transcript);
    assert.equal(transcript.status, "completed");
  });

  it("runs once more for two clients that retry it at the same time, on a real server", async () => {
    await using upstream = await createUpstreamDouble();
    const script = streamScript(answer({ deltas: ["Whole ", "answer."] }));
    upstream.respond((_, call) => (call === 0 ? [...script.slice(0, 5), { reset: true }] : script));
    await using server = await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl });
    const [phone, laptop] = [eagerClient(server.url), eagerClient(server.url)];
    using _phone = phone;
    using _laptop = laptop;
    const data = { message: "Hi", persona_id: "teacher", conversation_id: "new" } as const;
    const on = [phone, laptop].map((client) => client.request("chat", data, { id: "r" }));
    for (const request of on) assert.equal((await failureOf(request)).retryable, true);
    const ends = await Promise.all(on.map((request) => request.retry().done));
    assert.deepEqual(ends[0], ends[1]);
    assert.equal(upstream.requests.length, 2);
  });
});
