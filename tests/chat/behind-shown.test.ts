import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { behindShown, canGoOn, recoverLanes } from "../../src/chat/recovered-lanes.ts";
import type { ProviderEvent } from "../../src/ports/provider.ts";
import { upgradeSteps } from "../../src/ports/stored-event.ts";
import type { TurnStep } from "../../src/ports/turn-event.ts";
import { createSeededRandom } from "../crash/seeded-random.ts";
import { textEvent } from "./any-text.ts";

const thought = (text: string): ProviderEvent => ({ type: "reasoning", text });
const tool = (callId: string): ProviderEvent => ({ type: "tool", tool: "t", status: "s", callId });
const checkpointAt = (counts: object): TurnStep => {
  const none = { textUnits: 0, reasoningUnits: 0, toolEvents: 0 };
  return { type: "checkpoint", place: {}, ...none, ...counts };
};

/** The texts that a lane shows of a repeated answer, if its log already holds these steps. */
async function goOn(steps: readonly TurnStep[], told: readonly (readonly ProviderEvent[])[]) {
  const [lane] = recoverLanes(steps);
  assert.ok(lane !== undefined && canGoOn(lane));
  async function* source() {
    for (const batch of told) yield [...batch];
  }
  const shown: ProviderEvent[] = [];
  for await (const batch of behindShown(source(), lane)) shown.push(...batch);
  return shown;
}

const textOf = (events: readonly (ProviderEvent | TurnStep)[], type: string) =>
  events.map((event) => (event.type === type && "text" in event ? event.text : "")).join("");

describe("an answer that is repeated from a checkpoint", () => {
  it("goes on in the middle of a piece of reasoning, however it is cut this time", async () => {
    const whole = "I should look at the sky first.";
    for (const shownChars of [0, 1, 9, whole.length]) {
      const shown: TurnStep = { type: "reasoning", text: whole.slice(0, shownChars) };
      for (const size of [1, 4, 100]) {
        const pieces = whole.match(new RegExp(`.{1,${size}}`, "g")) ?? [];
        const rest = await goOn(
          [checkpointAt({}), shown],
          pieces.map((piece) => [thought(piece)]),
        );
        assert.equal(textOf(rest, "reasoning"), whole.slice(shownChars), `${shownChars}, ${size}`);
      }
    }
  });

  it("has no gap and no repeat, wherever it was left and however it is cut", async () => {
    const random = createSeededRandom(7);
    for (let run = 0; run < 200; run += 1) {
      const all = Array.from({ length: 12 }, (_, index) =>
        random.pick([thought(`r${index} `), textEvent(`t${index} `), tool(`c${index}`)]),
      );
      const cut = random.whole(0, all.length);
      const kept = all.slice(0, random.whole(cut, all.length)) as TurnStep[];
      const before = all.slice(0, cut);
      const counts = {
        textUnits: textOf(before, "text").length,
        reasoningUnits: textOf(before, "reasoning").length,
        toolEvents: before.filter(({ type }) => type === "tool").length,
      };
      const steps = kept.map((step): TurnStep => (step.type === "text" ? { ...step, final: false } : step));
      const rest = await goOn([...steps, checkpointAt(counts)], [all.slice(cut)]);
      for (const type of ["text", "reasoning"])
        assert.equal(textOf(steps, type) + textOf(rest, type), textOf(all, type));
      const tools = [...kept, ...rest].filter(({ type }) => type === "tool");
      assert.equal(tools.length, all.filter(({ type }) => type === "tool").length);
    }
  });

  it("that an earlier version left is gone on with: it counted reasoning and tools together", async () => {
    const steps = upgradeSteps([
      { type: "reasoning", text: "One. " },
      { type: "tool", tool: "t", status: "s", callId: "c1" },
      { type: "text", text: "Rain", final: false },
      { type: "reasoning", text: "Two. " },
      { type: "checkpoint", textUnits: 4, sideEvents: 2, place: {} },
    ]);
    const [lane] = recoverLanes(steps);
    assert.deepEqual(lane?.checkpoint, {
      ...{ type: "checkpoint", textUnits: 4, place: {} },
      ...{ reasoningUnits: 5, toolEvents: 1 },
    });
    const rest = await goOn(steps, [[thought("Two. Three."), textEvent(" falls.")]]);
    assert.deepEqual(rest, [thought("Three."), textEvent(" falls.")]);
  });
});
