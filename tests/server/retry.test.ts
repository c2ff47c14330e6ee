import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { createDataFolder } from "../crash/data-folder.ts";
import { answer } from "../doubles/answer.ts";
import { httpError, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble } from "../doubles/upstream-double.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";
import { textOf, type WireClient } from "../support/wire-client.ts";

const pacing = { mode: "raw" };
const personas = ["teacher", "skeptic"];
const kinds = {
  openai_chat: { input_text: "Hi", pacing },
  chat: { message: "Hi", persona_id: "teacher", conversation_id: "new", pacing },
  multi_chat: { message: "Hi", persona_ids: personas, conversation_id: "new", pacing },
} as const;
type Kind = keyof typeof kinds;

const voices = (kind: Kind) => (kind === "multi_chat" ? personas.length : 1);
const ask = (kind: Kind, retry?: unknown, more: object = {}) => ({
  type: kind,
  id: "r",
  data: { ...kinds[kind], ...more, ...(retry === undefined ? {} : { retry }) },
});

const half = streamScript(answer({ deltas: ["Half ", "an ", "answer"] })).slice(0, 6);
/** How every call of an attempt goes. */
const attempts = {
  "cut in the middle": [...half, { reset: true }],
  "refused for now": httpError(429, {
    type: "rate_limit_error",
    code: "rate_limit_exceeded",
    message: "Slow down",
  }),
  "refused for good": httpError(401, {
    type: "invalid_request_error",
    code: "invalid_api_key",
    message: "No",
  }),
  answered: streamScript(answer({ deltas: ["Whole ", "answer."] })),
} as const;
type Attempt = keyof typeof attempts;

/** A server whose provider follows the plan, one attempt after another. The last attempt is repeated. */
async function setUp(plan: readonly Attempt[], options: TroupeOptions = {}) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble());
  const clock = createTestClock({ instantMs: 1_000 });
  let attempt = 0;
  upstream.respond(() => [...attempts[plan[Math.min(attempt, plan.length - 1)] ?? "answered"]]);
  // The time moves while a call is under way, so its limit must be beyond all of it.
  const limits = { firstByteMs: 24 * 3_600_000, turnLimitMs: 24 * 3_600_000 };
  const server = stack.use(
    await startTroupe({ openaiApiKey: "k", openaiBaseUrl: upstream.baseUrl, clock, ...limits, ...options }),
  );
  const client = await server.connect();
  async function endAfter(from: number, of = client): Promise<ServerMessage[]> {
    for (;;) {
      const messages = of.received.slice(from);
      const end = messages.findIndex(({ type }) => type === "response" || type === "error");
      if (end >= 0) return messages.slice(0, end + 1);
      await clock.advance(1_000);
    }
  }
  return {
    ...{ upstream, clock, server, client },
    /** Sends a frame, and returns all messages until an end or a refusal. */
    async send(frame: object, of: WireClient = client): Promise<ServerMessage[]> {
      const from = of.received.length;
      const calls = upstream.requests.length;
      of.send(frame);
      const messages = await endAfter(from, of);
      if (upstream.requests.length > calls) attempt += 1;
      return messages;
    },
    calls: () => upstream.requests.length,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const seqs = (messages: readonly ServerMessage[]) =>
  messages.map((message) => ("seq" in message ? message.seq : undefined));
const codeOf = (messages: readonly ServerMessage[]) => {
  const end = messages.at(-1);
  return end?.type === "error" ? end.code : end?.type;
};
const lastSeq = (messages: readonly ServerMessage[]) => seqs(messages).at(-1) ?? 0;

async function storedIn(server: RunningTroupe, end: ServerMessage | undefined) {
  assert.ok(end?.type === "response" && "conversation_id" in end.data);
  const response = await fetch(`${server.httpUrl}/api/conversations/${end.data.conversation_id}`);
  const { messages } = (await response.json()) as {
    messages: { role: string; text: string; request_id?: string; parent_id?: string; id: string }[];
  };
  return messages;
}

for (const kind of Object.keys(kinds) as Kind[]) {
  describe(`retrying ${kind}`, () => {
    for (const store of ["memory", "sqlite"] as const)
      for (const failure of ["cut in the middle", "refused for now"] as const)
        it(`runs a request again that was ${failure}, under its id, with numbers that go on (${store})`, async () => {
          await using place = await createDataFolder();
          await using at = await setUp([failure, failure, "answered"], { store, data: place.folder });
          const first = await at.send(ask(kind));
          const calls = at.calls();
          // The frame alone returns the stored end and calls no provider.
          assert.deepEqual(await at.send(ask(kind)), first);
          assert.equal(at.calls(), calls);
          const second = await at.send(ask(kind, lastSeq(first)));
          const third = await at.send(ask(kind, lastSeq(second)));
          assert.equal(codeOf(third), "response");
          const all = [...first, ...second, ...third];
          assert.deepEqual(
            seqs(all),
            all.map((_, index) => index + 1),
          );
          for (const [attempt] of [second, third]) {
            assert.ok(attempt?.type === "reset");
            assert.equal(attempt.lanes.length, voices(kind));
          }
          // A client that comes later is told which messages are void, and gets the rest under the same numbers.
          const late = await at.server.connect();
          for (const after of [0, lastSeq(first) - 1, lastSeq(first), lastSeq(second)]) {
            const replay = (
              await at.send({ type: "resume", data: { request_id: "r", after_seq: after } }, late)
            ).slice(1);
            const isBehind = after < lastSeq(second);
            if (isBehind) {
              const [reset] = replay;
              assert.ok(
                reset?.type === "reset" && reset.through_seq === lastSeq(second) && reset.lanes.length === 0,
              );
            }
            assert.deepEqual(isBehind ? replay.slice(1) : replay, third);
          }
          for (const persona of kind === "multi_chat" ? personas : [undefined])
            assert.equal(textOf(third, persona), "Whole answer.");
        });

    it("is safe to repeat: a retry that was lost, or that two devices send at once, is one more attempt", async () => {
      await using at = await setUp(["cut in the middle", "cut in the middle", "answered"]);
      const first = await at.send(ask(kind));
      const frame = ask(kind, lastSeq(first));
      const calls = at.calls();
      const devices = [at.client, await at.server.connect(), await at.server.connect()];
      const seen = await Promise.all(devices.map((device) => at.send(frame, device)));
      for (const messages of seen) assert.deepEqual(messages, seen[0]);
      assert.equal(at.calls(), calls + voices(kind));
      // The attempt that it asked for was made. Repeating the frame makes no other, however the attempt ended.
      assert.deepEqual(await at.send(frame), seen[0]);
      assert.equal(at.calls(), calls + voices(kind));
    });

    it("gives the end once more where it cannot be retried, or was no error", async () => {
      for (const plan of [["refused for good"], ["answered"]] as const) {
        await using at = await setUp([...plan, "answered"]);
        const first = await at.send(ask(kind));
        const calls = at.calls();
        assert.deepEqual(await at.send(ask(kind, lastSeq(first))), first.slice(-1));
        assert.deepEqual(await at.send(ask(kind, 1)), first.slice(1));
        assert.equal(at.calls(), calls);
      }
    });

    it("is refused beyond the head, with other content, without an id, and without a valid number", async () => {
      await using at = await setUp(["cut in the middle"]);
      const first = await at.send(ask(kind));
      const { id: _, ...unnamed } = ask(kind, lastSeq(first));
      for (const [frame, code] of [
        [ask(kind, lastSeq(first) + 1), "seq_out_of_range"],
        [ask(kind, lastSeq(first), { budget_tokens: 500 }), "request_id_conflict"],
        [unnamed, "invalid_message"],
        ...[0, -1, 1.5, "1", true, [1], 1e10].map((retry) => [ask(kind, retry), "invalid_message"] as const),
      ] as const) {
        const [refusal, ...more] = await at.send(frame);
        assert.ok(refusal?.type === "error" && refusal.seq === undefined && more.length === 0);
        assert.equal(refusal.code, code);
        assert.equal(refusal.field, code === "request_id_conflict" ? "id" : "data.retry");
      }
    });

    it("starts after its number if the server no longer knows the request", async () => {
      await using at = await setUp(["answered"]);
      const messages = await at.send(ask(kind, 41));
      assert.deepEqual(
        seqs(messages),
        messages.map((_, index) => 42 + index),
      );
      assert.equal(codeOf(messages), "response");
    });
  });
}

for (const kind of ["chat", "multi_chat"] as const)
  describe(`the conversation of a ${kind} that is retried`, () => {
    it("has the question once with both attempts' answers, and goes on with the new ones", async () => {
      await using at = await setUp(["cut in the middle", "answered", "answered"]);
      const first = await at.send(ask(kind));
      const second = await at.send(ask(kind, lastSeq(first)));
      const [question, ...answers] = await storedIn(at.server, second.at(-1));
      assert.equal(question?.role, "user");
      assert.ok(answers.every(({ role }) => role === "assistant"));
      const [failed, whole] = [answers.slice(0, -voices(kind)), answers.slice(-voices(kind))];
      for (const { text, request_id } of whole) assert.deepEqual([text, request_id], ["Whole answer.", "r"]);
      for (const { text, request_id } of failed)
        assert.ok(text.startsWith("Half") && request_id === undefined);
      assert.equal(failed.length, voices(kind));
      const end = second.at(-1);
      assert.ok(end?.type === "response" && "conversation_id" in end.data);
      const { conversation_id } = end.data;
      await at.send({
        type: "chat",
        id: "next",
        data: { message: "And?", persona_id: "teacher", conversation_id, pacing },
      });
      const told = JSON.stringify(at.upstream.requests.at(-1)?.body);
      assert.ok(told.includes("Whole answer.") && !told.includes("Half"), told);
    });

    it("keeps its head if it has gone on since", async () => {
      await using at = await setUp(["answered", "refused for now", "answered", "answered", "answered"]);
      const [begun] = (await at.send({ ...ask(kind), id: "before" })).slice(-1);
      assert.ok(begun?.type === "response" && "conversation_id" in begun.data);
      const more = { conversation_id: begun.data.conversation_id };
      const first = await at.send(ask(kind, undefined, more));
      const next = { message: "Later?", persona_id: "teacher", ...more, pacing };
      await at.send({ type: "chat", id: "later", data: next });
      assert.equal(codeOf(await at.send(ask(kind, lastSeq(first), more))), "response");
      await at.send({ type: "chat", id: "last", data: { ...next, message: "Last?" } });
      assert.ok(JSON.stringify(at.upstream.requests.at(-1)?.body).includes("Later?"));
    });
  });
