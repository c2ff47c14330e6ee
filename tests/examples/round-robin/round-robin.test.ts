import assert from "node:assert/strict";
import { it } from "node:test";
import { recoverLanes } from "../../../src/chat/recovered-lanes.ts";
import { encodeEvent } from "../../../src/doors/websocket/encode-event.ts";
import { textMessage } from "../../../src/ports/item.ts";
import { laneOf } from "../../../src/ports/turn-event.ts";
import { answerOf, ask, laneAnswers } from "../../chat/ask-personas.ts";
import { createChatSetup, end, type ProviderScript, say } from "../../chat/chat-setup.ts";
import { roundRobin } from "./round-robin.ts";

const both = { personaIds: ["ada", "bob"] };

/** Numbers its answers in the order of the calls. */
const numbered: ProviderScript = async function* ({ index }) {
  yield [say(`Speech ${index}.`), end];
};

it("lets two personas speak in turn, each in a lane of its own", async () => {
  const played = await ask(createChatSetup(numbered), both, undefined, roundRobin(2));
  const answers = answerOf(played);
  assert.deepEqual(
    answers.answers.map((answer) => [answer.persona.id, answer.index, answer.text]),
    [
      ["ada", 0, "Speech 0."],
      ["bob", 1, "Speech 1."],
      ["ada", 0, "Speech 2."],
      ["bob", 1, "Speech 3."],
    ],
  );
  assert.equal(answers.combined, "Ada:\nSpeech 0.\n\nBob:\nSpeech 1.\n\nAda:\nSpeech 2.\n\nBob:\nSpeech 3.");
  assert.equal(new Set(answers.answers.map(laneOf)).size, 4);
  const told = answers.answers.map(({ messageId }) => messageId);
  assert.deepEqual(
    played.stored.slice(1).map(({ id, personaId, text }) => [id, personaId, text]),
    answers.answers.map(({ persona, text }, place) => [told[place], persona.id, text]),
  );
});

it("names the persona and the round in every message of a lane", async () => {
  const { events } = await ask(createChatSetup(numbered), both, undefined, roundRobin(2));
  const seen = new Map<string, Set<string>>();
  for (const [index, event] of events.entries()) {
    const message = JSON.parse(encodeEvent("r1", { seq: index + 1, event })) as Record<string, unknown>;
    const voice = `${String(message.persona_id)} ${String(message.round)}`;
    seen.set(voice, (seen.get(voice) ?? new Set()).add(String(message.type)));
  }
  assert.deepEqual([...seen.keys()], ["ada 0", "bob 0", "ada 1", "bob 1"]);
  for (const types of seen.values()) assert.deepEqual([...types], ["status", "chunk", "persona_response"]);
});

it("lets each persona hear what was said before, its own speeches as its own", async () => {
  const setup = createChatSetup(numbered);
  await ask(setup, both, undefined, roundRobin(2));
  const heard = setup.choice.requests.map(({ input }) => input.slice(1));
  assert.deepEqual(heard, [
    [],
    [textMessage("user", "(Ada answered:)\n> Speech 0.")],
    [textMessage("assistant", "Speech 0."), textMessage("user", "(Bob answered:)\n> Speech 1.")],
    [
      textMessage("user", "(Ada answered:)\n> Speech 0."),
      textMessage("assistant", "Speech 1."),
      textMessage("user", "(Ada answered:)\n> Speech 2."),
    ],
  ]);
});

it("asks a persona that speaks twice in a row to go on", async () => {
  const setup = createChatSetup(numbered);
  await ask(setup, { personaIds: ["ada"] }, undefined, roundRobin(2));
  assert.deepEqual(setup.choice.requests[1]?.input.at(-1), textMessage("user", "(Please go on.)"));
});

it("starts no further speech once the turn is stopped, and keeps what was said", async () => {
  const setup = createChatSetup(numbered);
  const played = await ask(
    setup,
    both,
    (batch) => {
      if (batch.some((event) => event.type === "lane-answer" && event.answer.persona.id === "bob"))
        setup.cancel();
    },
    roundRobin(3),
  );
  assert.equal(setup.choice.requests.length, 2);
  assert.deepEqual(
    laneAnswers(played).map(({ text }) => text),
    ["Speech 0.", "Speech 1."],
  );
});

it("is recovered by lane: the speeches that had ended are not made again", async () => {
  const first = await ask(createChatSetup(numbered), both, undefined, roundRobin(2));
  const untilThird = first.events.findIndex(
    (event) => event.type === "text" && event.text === "Speech 2." && event.final,
  );
  const ended = recoverLanes(first.events.slice(0, untilThird)).filter((lane) => lane.ended);
  assert.deepEqual(
    ended.map(({ text }) => text),
    ["Speech 0.", "Speech 1."],
  );
  const setup = createChatSetup(async function* ({ index }) {
    yield [say(`Speech ${index + 2}, again.`), end];
  });
  const second = await ask(setup, both, undefined, roundRobin(2), ended);
  assert.deepEqual(
    answerOf(second).answers.map(({ text }) => text),
    ["Speech 0.", "Speech 1.", "Speech 2, again.", "Speech 3, again."],
  );
});
