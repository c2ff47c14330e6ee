import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textMessage } from "../../src/ports/item.ts";
import { UnreadableError, upgradeSteps } from "../../src/ports/stored-event.ts";
import { decodeResumableRequest } from "../../src/ports/stored-turn.ts";
import { fullCheckpoint, fullResumables } from "./stored-samples.ts";

describe("a request before version 3", () => {
  it("has one text, under the name of its kind", () => {
    for (const { request, ...resumable } of fullResumables) {
      const { input: _, ...rest } = request;
      const text = request.kind === "responses" ? { inputText: "Rain?" } : { message: "Rain?" };
      for (const version of [1, 2]) {
        const stored = JSON.stringify({ ...resumable, request: { ...rest, ...text } });
        const read = decodeResumableRequest(stored, version);
        assert.deepEqual(read, { ...resumable, request: { ...rest, input: [textMessage("user", "Rain?")] } });
        assert.throws(() => decodeResumableRequest(stored), UnreadableError);
        const broken = JSON.stringify({ ...resumable, request: { ...rest, inputText: 7, message: 7 } });
        assert.throws(() => decodeResumableRequest(broken, version), UnreadableError);
      }
    }
  });
});

describe("a turn of version 1", () => {
  it("has the facts about its request in the vendor's options", () => {
    const [plain] = fullResumables;
    assert.ok(plain?.request.kind === "responses");
    const { inBackground, maxTokens, ...before } = plain.request;
    const read = (options: object, version: number) => {
      const request = { ...plain, request: { ...before, options } };
      return decodeResumableRequest(JSON.stringify(request), version).request;
    };
    const options = { background: true, max_output_tokens: 7 };
    assert.deepEqual(read(options, 1), { ...before, options, inBackground: true, maxTokens: 7 });
    assert.deepEqual(read(options, 2), { ...before, options });
    assert.deepEqual(read({}, 1), { ...before, options: {} });
  });

  const thought = (text: string, lane?: string) => ({
    type: "reasoning" as const,
    text,
    ...(lane === undefined ? {} : { lane }),
  });
  const tool = { type: "tool" as const, tool: "t", status: "s", callId: "c" };
  const earlier = (sideEvents: number, lane?: string) => ({
    ...{ type: "checkpoint" as const, textUnits: 0, sideEvents, place: { at: sideEvents } },
    ...(lane === undefined ? {} : { lane }),
  });

  it("gets checkpoints that count reasoning and tools of their own lane since its last start", () => {
    const steps = upgradeSteps([
      earlier(0),
      thought("One. "),
      thought("of another lane", "other"),
      tool,
      earlier(0),
      earlier(1),
      earlier(2),
      earlier(3),
      earlier(1, "other"),
      { type: "reset", lanes: [{}] },
      earlier(2),
      thought("A"),
      fullCheckpoint,
      earlier(1),
    ]);
    const counts = steps.flatMap((step) =>
      step.type === "checkpoint" ? [[step.reasoningUnits, step.toolEvents]] : [],
    );
    assert.deepEqual(counts, [
      ...[
        [0, 0],
        [0, 0],
        [5, 0],
        [5, 1],
        [5, 1],
        [15, 0],
      ],
      ...[
        [0, 0],
        [3, 1],
        [1, 0],
      ],
    ]);
    assert.deepEqual(steps[5], {
      ...{ type: "checkpoint", textUnits: 0, place: { at: 1 }, reasoningUnits: 5, toolEvents: 0 },
    });
  });
});
