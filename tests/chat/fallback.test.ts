import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { recoverLanes } from "../../src/chat/recovered-lanes.ts";
import type { FallbackLink, Provider } from "../../src/ports/provider.ts";
import type { TurnStep } from "../../src/ports/turn-event.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { type ChatSetup, createChatSetup, end, type ProviderScript, say } from "./chat-setup.ts";
import { createNotedBudget, type NotedBudget } from "./noted-budget.ts";
import { briefly, run } from "./run-a-lane.ts";

const down = () => new TroupeError("upstream_error", { isUnread: true });

function failing(before: readonly Parameters<typeof say>[0][] = [], error = down()): ProviderScript {
  return async function* () {
    if (before.length > 0) yield before.map(say);
    throw error;
  };
}

const answers: ProviderScript = async function* () {
  yield [say("From the spare."), end];
};

/** A link that plays this script; `outage` is told of it. */
function linkOf(setup: ChatSetup, api: string, script: ProviderScript, outage?: TroupeError): FallbackLink {
  let calls = 0;
  const provider: Provider = {
    ...{ name: api, simulated: api === "script" },
    outage: () => outage,
    stream(request, { signal, from }) {
      calls += 1;
      return script({ request, from, signal, clock: setup.clock, index: calls - 1 });
    },
  };
  return { provider, api, model: `${api}-1` };
}

const chained = (setup: ChatSetup, ...fallbacks: FallbackLink[]) => ({
  choice: { ...setup.choice, fallbacks },
});

const retryOf = (code: string, attempt: number, api: string) => ({
  retry: { attempt, delayMs: 0, code, api, model: `${api}-1` },
});

describe("a lane with a chain", () => {
  it("shows one answer, of the link that gave it", async () => {
    const setup = createChatSetup(failing());
    const { events, result } = await run(setup, chained(setup, linkOf(setup, "script", answers)));
    assert.deepEqual(briefly({ events }), [
      ...["starting", "processing", "processing again", "streaming"],
      ...['final "From the spare."', "completed"],
    ]);
    const { status, text, api, model, simulated, usage } = result ?? assert.fail();
    assert.deepEqual(
      [status, text, api, model, simulated, usage?.totalTokens],
      ["completed", "From the spare.", "script", "model-given", true, 7],
    );
    // Every status from the move on is of the link that answers.
    assert.deepEqual(
      events.flatMap((event) => (event.type === "status" ? [event.simulated] : [])),
      [false, false, true, true, true],
    );
  });

  it("asks no other link once anything was shown", async () => {
    for (const shown of [say("half"), { type: "reasoning", text: "hm" } as const]) {
      const setup = createChatSetup(async function* () {
        yield [shown];
        throw down();
      });
      const spare = linkOf(setup, "spare", () => assert.fail("the spare was asked"));
      const { result } = await run(setup, chained(setup, spare));
      assert.deepEqual([result?.error?.code, result?.api], ["upstream_error", "openai"]);
    }
  });

  it("passes a link with an outage without a call, but asks the last one", async () => {
    const outage = new TroupeError("upstream_overloaded", { retryAfterMs: 9_000 });
    const setup = createChatSetup(failing());
    const passed = linkOf(setup, "passed", () => assert.fail("it was asked"), outage);
    const last = linkOf(setup, "last", answers, outage);
    const { events, result } = await run(setup, chained(setup, passed, last));
    assert.equal(result?.api, "last");
    assert.deepEqual(
      events.flatMap((event) => (event.type === "status" && event.retry ? [{ retry: event.retry }] : [])),
      [retryOf("upstream_error", 1, "passed"), retryOf("upstream_overloaded", 2, "last")],
    );
    assert.equal(setup.budget.plans.length, 2);
  });

  it("keeps to the link that answered, for its next calls", async () => {
    const setup = createChatSetup(failing());
    const spare = linkOf(setup, "spare", answers);
    const { result } = await run(setup, {
      ...chained(setup, spare),
      nextRequest: (_, index) => (index === 0 ? { ...setup.choice, input: [] } : undefined),
    });
    assert.equal(result?.text, "From the spare.From the spare.");
    assert.deepEqual(
      setup.budget.plans.map(({ api, model, call, isFallback }) => [api, model, call, isFallback]),
      [
        ["openai", "model-asked", 0, undefined],
        ["spare", "spare-1", 0, true],
        ["spare", "spare-1", 1, undefined],
      ],
    );
  });

  it("is recovered at the link that it went to, without the checkpoint of the link before", () => {
    const status = (retry?: object) =>
      ({ type: "status", status: "processing", simulated: false, ...retry }) as TurnStep;
    const checkpoint = (place: object) =>
      ({ type: "checkpoint", textUnits: 0, reasoningUnits: 0, toolEvents: 0, place }) as TurnStep;
    const moved = [status(), checkpoint({ at: 1 }), status(retryOf("upstream_error", 1, "spare"))];
    const [lane] = recoverLanes(moved);
    assert.deepEqual([lane?.link, lane?.checkpoint], [{ api: "spare", model: "spare-1" }, undefined]);
    const [goesOn] = recoverLanes([...moved, checkpoint({ at: 2 })]);
    assert.deepEqual(goesOn?.checkpoint?.place, { at: 2 });
  });
});

describe("the budget of a chain", () => {
  it("is given back by a failed link before the next one reserves, for its own model and price", async () => {
    const budget = createNotedBudget();
    const setup = createChatSetup(failing(), { budget });
    const before: [number, number][] = [];
    const spare: ProviderScript = async function* (call) {
      before.push([budget.settled.length, budget.recorded.length]);
      yield* answers(call);
    };
    await run(setup, chained(setup, linkOf(setup, "spare", spare)));
    assert.deepEqual(before, [[1, 1]]);
    assert.deepEqual(
      budget.recorded.map(({ outcome, usage }) => [outcome, usage.totalTokens]),
      [
        ["failed", 0],
        ["completed", 7],
      ],
    );
  });

  it("pays for a failed link that may have read its input", async () => {
    const setup = createChatSetup(failing([], new TroupeError("upstream_error")));
    const { result } = await run(setup, chained(setup, linkOf(setup, "spare", answers)));
    assert.deepEqual(
      setup.budget.recorded.map(({ usage }) => usage.totalTokens),
      [2, 7],
    );
    assert.equal(result?.usage?.totalTokens, 7);
  });

  it("passes a link that it cannot pay, and tells the first link's failure if none is left", async () => {
    const noted = createNotedBudget();
    const budget: NotedBudget = {
      ...noted,
      open(plan) {
        if (plan.api === "dear") throw new TroupeError("budget_exhausted");
        return noted.open(plan);
      },
    };
    const setup = createChatSetup(failing(), { budget });
    const dear = linkOf(setup, "dear", () => assert.fail("it was asked"));
    const { result } = await run(setup, chained(setup, dear, linkOf(setup, "spare", answers)));
    assert.equal(result?.api, "spare");
    const { result: none } = await run(setup, chained(setup, dear));
    assert.deepEqual([none?.status, none?.error?.code], ["failed", "upstream_error"]);
  });

  it("ends no chain that it did not pay from the start", async () => {
    const budget = createNotedBudget({ refused: ["ada"] });
    const setup = createChatSetup(failing(), { budget });
    const spare = linkOf(setup, "spare", () => assert.fail("it was asked"));
    const { result } = await run(setup, chained(setup, spare));
    assert.equal(result?.error?.code, "budget_exhausted");
  });
});
