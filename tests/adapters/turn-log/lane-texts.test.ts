import assert from "node:assert/strict";
import { test } from "node:test";
import { laneTexts } from "../../../src/adapters/turn-log/memory-turn-log.ts";
import { terminal, textOf } from "../../ports/log-reading.ts";

test("a lane's text is the text it has shown, in pieces or with its answer", () => {
  const answered = (id: string, text: string) => ({
    type: "lane-answer" as const,
    answer: {
      persona: { id, name: id, description: "" },
      index: 0,
      status: "completed" as const,
      text,
      model: "m",
      api: "openai",
      simulated: false,
    },
  });
  const events = [textOf("Hel", "ada"), textOf("lo", "ada"), textOf("all"), answered("ada", "Hello")];
  assert.deepEqual(laneTexts([...events, answered("bob", "At once"), terminal]), [
    { lane: "ada", text: "Hello" },
    { text: "all" },
    { lane: "bob", text: "At once" },
  ]);
});
