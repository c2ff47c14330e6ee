import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textMessage } from "../../src/ports/item.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { answerOf, answers, ask, byPersona, fails, laneAnswers, statuses, waits } from "./ask-personas.ts";
import { brief, createChatSetup, end, type ProviderScript, say } from "./chat-setup.ts";
import { personas } from "./personas.ts";

const [ada, bob, cleo] = personas;

describe("several personas", () => {
  it("answer side by side, each lane in its own order, each with an answer of its own", async () => {
    const played = await ask(
      createChatSetup(byPersona({ Ada: answers("A."), Bob: answers("B."), Cleo: answers("C.") })),
    );
    const order = ["starting", "processing", "streaming", 'final "A."', "completed", "lane-answer"];
    for (const [id, text] of [
      ["ada", "A."],
      ["bob", "B."],
      ["cleo", "C."],
    ]) {
      const own = played.events.filter((event) =>
        event.type === "lane-answer" ? event.answer.persona.id === id : "lane" in event && event.lane === id,
      );
      assert.deepEqual(
        own.map(brief),
        order.map((item) => item.replace("A.", text ?? "")),
      );
    }
    assert.deepEqual(
      played.events.slice(0, 6).map((event) => "lane" in event && event.lane),
      ["ada", "ada", "bob", "bob", "cleo", "cleo"],
    );
    assert.equal(played.result?.status, "completed");
    const { kind, outcome, combined, finishReason, conversationId } = answerOf(played);
    assert.deepEqual(
      { kind, outcome, combined, finishReason, conversationId },
      {
        kind: "personas",
        outcome: "complete",
        combined: "Ada:\nA.\n\nBob:\nB.\n\nCleo:\nC.",
        finishReason: "stop",
        conversationId: played.conversationId,
      },
    );
    assert.deepEqual(answerOf(played).usage, {
      inputTokens: 9,
      outputTokens: 12,
      totalTokens: 21,
      estimated: false,
    });
  });

  it("are shown by their public face, at their place in the request", async () => {
    const played = await ask(
      createChatSetup(byPersona({ Ada: answers("A."), Bob: answers("B."), Cleo: answers("C.") })),
    );
    for (const list of [laneAnswers(played), answerOf(played).answers]) {
      for (const answer of list) {
        const persona = personas[answer.index];
        assert.deepEqual(answer.persona, {
          id: persona?.id,
          name: persona?.name,
          description: persona?.description,
        });
      }
    }
    assert.equal(JSON.stringify([played.events, played.result]).includes("secret of"), false);
  });

  it("are stored in the conversation in their order, even if a later one is quicker, with the ids of the answer", async () => {
    const slow: ProviderScript = async function* ({ clock }) {
      await clock.sleep(900);
      yield [say("Slow."), end];
    };
    const played = await ask(
      createChatSetup(byPersona({ Ada: slow, Bob: answers("B."), Cleo: answers("C.") })),
    );
    assert.deepEqual(
      laneAnswers(played).map(({ index }) => index),
      [1, 2, 0],
    );
    assert.deepEqual(
      played.stored.map(({ text }) => text),
      ["Well?", "Slow.", "B.", "C."],
    );
    assert.deepEqual(
      answerOf(played).answers.map(({ messageId }) => messageId),
      played.stored.slice(1).map(({ id }) => id),
    );
  });

  it("are given the message, their instructions and the names of the others", async () => {
    const setup = createChatSetup(byPersona({ Ada: answers("A."), Bob: answers("B.") }));
    await ask(setup, { personaIds: ["ada", "bob"], temperature: 0.3, maxTokens: 55 });
    const [first, second] = setup.choice.requests;
    assert.equal(first?.instructions, ada.instructions);
    assert.match(first?.note ?? "", /Bob/);
    assert.equal(second?.instructions, bob.instructions);
    assert.match(second?.note ?? "", /Ada/);
    assert.match(`${first?.cacheKey} ${second?.cacheKey}`, /^[0-9a-f]{32} [0-9a-f]{32}$/);
    assert.notEqual(first?.cacheKey, second?.cacheKey);
    assert.deepEqual(first?.input, [textMessage("user", "Well?")]);
    assert.deepEqual([first?.model, first?.temperature, first?.maxOutputTokens], ["model-asked", 0.3, 55]);
  });

  it("leave their chunks out if only whole answers are asked for", async () => {
    const played = await ask(
      createChatSetup(byPersona({ Ada: answers("A."), Bob: answers("B."), Cleo: answers("C.") })),
      { showText: false },
    );
    assert.equal(played.events.filter(({ type }) => type === "text").length, 0);
    assert.deepEqual(
      laneAnswers(played).map(({ text }) => text),
      ["A.", "B.", "C."],
    );
  });
});

describe("a persona that fails beside others", () => {
  it("does not end them: the answer is degraded and keeps its text", async () => {
    const error = new TroupeError("upstream_disconnected");
    const played = await ask(
      createChatSetup(byPersona({ Ada: answers("A."), Bob: fails("Half", error), Cleo: fails("", error) })),
    );
    assert.equal(played.result?.status, "completed");
    assert.equal(answerOf(played).outcome, "degraded");
    assert.deepEqual(statuses(played), ["completed", "failed", "failed"]);
    assert.equal(answerOf(played).combined, "Ada:\nA.\n\nBob:\nHalf");
    assert.equal(answerOf(played).answers[1]?.error, error);
    assert.equal(answerOf(played).answers[2]?.text, "");
    assert.deepEqual(
      answerOf(played).answers.map(({ messageId }) => messageId === undefined),
      [false, false, true],
    );
    assert.deepEqual(
      played.stored.map(({ text, status }) => [text, status]),
      [
        ["Well?", "completed"],
        ["A.", "completed"],
        ["Half", "failed"],
      ],
    );
  });

  it("fails the turn if all fail, and reports whether a retry may help", async () => {
    const auth = new TroupeError("upstream_auth");
    const all = (last: TroupeError) =>
      ask(
        createChatSetup(byPersona({ Ada: fails("Half", auth), Bob: fails("", auth), Cleo: fails("", last) })),
      );
    const lost = await all(auth);
    assert.equal(lost.thrown instanceof TroupeError && lost.thrown.code, "all_personas_failed");
    assert.equal(lost.thrown instanceof TroupeError && lost.thrown.retryable, false);
    assert.equal(laneAnswers(lost).length, 3);
    assert.deepEqual(
      lost.stored.map(({ text }) => text),
      ["Well?", "Half"],
    );
    const passing = await all(new TroupeError("upstream_error"));
    assert.equal(passing.thrown instanceof TroupeError && passing.thrown.retryable, true);
  });
});

describe("one persona", () => {
  const one = { kind: "persona", personaIds: ["cleo"] } as const;

  it("answers with its own result and no answer of a lane", async () => {
    const setup = createChatSetup(byPersona({ Cleo: answers("C.") }), { simulated: true });
    const played = await ask(setup, one);
    assert.deepEqual(played.events.map(brief), [
      "starting",
      "processing",
      "streaming",
      'final "C."',
      "completed",
    ]);
    const { id, name, description } = cleo;
    assert.deepEqual(played.result, {
      type: "answer",
      status: "completed",
      answer: {
        kind: "persona",
        finishReason: "stop",
        conversationId: played.conversationId,
        answer: {
          persona: { id, name, description },
          index: 0,
          status: "completed",
          text: "C.",
          messageId: played.stored[1]?.id,
          model: "model-given",
          api: "openai",
          finishReason: "stop",
          usage: { inputTokens: 3, outputTokens: 4, totalTokens: 7, estimated: false },
          simulated: true,
        },
      },
    });
  });

  it("fails with its own error", async () => {
    const error = new TroupeError("context_length_exceeded");
    const played = await ask(createChatSetup(byPersona({ Cleo: fails("Ha", error) })), one);
    assert.equal(played.thrown, error);
    assert.equal(played.stored.at(-1)?.status, "failed");
  });

  it("is cancelled with its text so far", async () => {
    const setup = createChatSetup(byPersona({ Cleo: waits("I sto") }));
    const played = await ask(setup, one, (batch) => {
      if (batch.some(({ type }) => type === "text")) setup.cancel();
    });
    assert.equal(played.result?.status, "cancelled");
    const answer = played.result?.answer;
    assert.equal(answer?.kind === "persona" && answer.answer.text, "I sto");
    assert.deepEqual(answer?.cancel, { upstreamClosed: true, closedInMs: 0 });
    assert.equal(played.stored.at(-1)?.status, "cancelled");
  });
});
