import assert from "node:assert/strict";
import { test } from "node:test";
import type { TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { answer } from "../doubles/answer.ts";
import type { Script } from "../doubles/script.ts";
import { httpError, streamScript } from "../doubles/stream-script.ts";
import { createUpstreamDouble, type UpstreamDouble } from "../doubles/upstream-double.ts";
import { type RunningTroupe, startTroupe } from "../support/start-troupe.ts";
import { createTestClock, type TestClock } from "../support/test-clock.ts";
import { until } from "../support/until.ts";
import { isTerminal, type WireClient } from "../support/wire-client.ts";

interface Stage extends AsyncDisposable {
  readonly server: RunningTroupe;
  readonly upstream: UpstreamDouble;
  readonly clock: TestClock;
}

/** A server with room for one request per connection, per key, per owner, and in all. */
async function startNarrow(options: TroupeOptions = {}): Promise<Stage> {
  await using stack = new AsyncDisposableStack();
  const upstream = stack.use(await createUpstreamDouble({ keepAlive: false }));
  const clock = createTestClock({ instantMs: 2_500 });
  const server = stack.use(
    await startTroupe({
      openaiApiKey: "k",
      openaiBaseUrl: upstream.baseUrl,
      clock,
      pacing: "raw",
      maxRequestsPerConnection: 1,
      maxRequestsPerKey: 1,
      maxRequestsPerOwner: 1,
      maxRequests: 1,
      turnLimitMs: 60_000,
      firstByteMs: 10_000,
      idleMs: 20_000,
      ...options,
    }),
  );
  const owned = stack.move();
  return { server, upstream, clock, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const events = answer({
  deltas: ["Half ", "an ", "answer."],
  usage: { inputTokens: 50, outputTokens: 10 },
});
const whole = streamScript(events);
/** The events up to the first words, then silence. */
const begun: Script = [...streamScript(events.slice(0, 5)), { hang: true }];
const badRequest = { message: "No.", type: "invalid_request_error", code: null, param: null };

const question = (id: string, data: object = {}) => ({
  type: "openai_chat",
  id,
  data: { input_text: "Hi", ...data },
});
const chat = (id: string, data: object) => ({ type: "chat", id, data: { message: "Hi", ...data } });
const multiChat = (id: string, persona_ids: readonly string[]) => ({
  type: "multi_chat",
  id,
  data: { message: "Hi", persona_ids },
});

/** The end of a request: its terminal message, or the frame that refuses it. */
async function endOf(client: WireClient, id: string): Promise<ServerMessage> {
  return client.next((message) => {
    if (message.type === "error" && message.in_reply_to?.id === id) return true;
    return isTerminal(message) && "request_id" in message && message.request_id === id;
  });
}

interface Scenario {
  /** How the upstream answers its calls. Default: in full. */
  readonly script?: Script;
  /** Asks under the given id until that request ends. Returns the code of an error, or the status of an answer. */
  play(client: WireClient, id: string, stage: Stage): Promise<string>;
}

async function ask(client: WireClient, id: string, message: object): Promise<string> {
  client.send(message);
  const end = await endOf(client, id);
  if (end.type === "error") return end.code;
  return end.type === "response" ? end.status : end.type;
}

/** Asks, and calls `act` as soon as there are words. */
const whileItRuns = (
  message: (id: string) => object,
  act: (client: WireClient, id: string, stage: Stage) => unknown,
): Scenario => ({
  script: begun,
  async play(client, id, stage) {
    const end = ask(client, id, message(id));
    await stage.upstream.received(stage.upstream.calls + 1);
    await until(() => client.received.some((reply) => reply.type === "chunk" && reply.request_id === id));
    await act(client, id, stage);
    return end;
  },
});

const cancel = (client: WireClient, id: string, persona_id?: string) =>
  client.send({
    type: "cancel",
    data: { request_id: id, ...(persona_id === undefined ? {} : { persona_id }) },
  });

/** Scenarios, each with the code or the status that it ends with. */
const scenarios: Readonly<Record<string, readonly [string, Scenario]>> = {
  "an unknown persona": [
    "persona_not_found",
    { play: (client, id) => ask(client, id, chat(id, { persona_id: "nobody" })) },
  ],
  "an unknown persona among others": [
    "persona_not_found",
    { play: (client, id) => ask(client, id, multiChat(id, ["teacher", "nobody"])) },
  ],
  "a persona named twice": [
    "persona_repeated",
    { play: (client, id) => ask(client, id, multiChat(id, ["teacher", "teacher"])) },
  ],
  "an unknown conversation": [
    "conversation_not_found",
    {
      play: (client, id) =>
        ask(client, id, chat(id, { persona_id: "teacher", conversation_id: "conv_unknown" })),
    },
  ],
  "an id that has another content": [
    "request_id_conflict",
    {
      async play(client, id) {
        await ask(client, id, question(id));
        return ask(client, id, question(id, { input_text: "Something else" }));
      },
    },
  ],
  "a budget that covers no call": [
    "budget_exhausted",
    { play: (client, id) => ask(client, id, question(id, { budget_tokens: 1 })) },
  ],
  "a budget that ends in the answer": [
    "completed",
    { play: (client, id) => ask(client, id, question(id, { budget_tokens: 40 })) },
  ],
  "an answer": ["completed", { play: (client, id) => ask(client, id, question(id)) }],
  "an answer of a persona": [
    "completed",
    { play: (client, id) => ask(client, id, chat(id, { persona_id: "teacher" })) },
  ],
  "answers of several personas": [
    "completed",
    { play: (client, id) => ask(client, id, multiChat(id, ["teacher", "skeptic"])) },
  ],
  "the same request again": [
    "completed",
    {
      async play(client, id) {
        await ask(client, id, question(id));
        return ask(client, id, question(id));
      },
    },
  ],
  "a refusal of the provider": [
    "upstream_invalid_request",
    { script: httpError(400, badRequest), play: (client, id) => ask(client, id, question(id)) },
  ],
  "a connection that the provider resets": [
    "upstream_disconnected",
    {
      script: [...streamScript(events.slice(0, 5)), { reset: true }],
      play: (client, id) => ask(client, id, question(id)),
    },
  ],
  "a provider that falls silent": [
    "upstream_stalled",
    whileItRuns(question, (_client, _id, { clock }) => clock.advance(20_001)),
  ],
  "a cancelled answer": ["cancelled", whileItRuns(question, (client, id) => cancel(client, id))],
  "a cancelled answer of a persona": [
    "cancelled",
    whileItRuns(
      (id) => chat(id, { persona_id: "teacher" }),
      (client, id) => cancel(client, id, "teacher"),
    ),
  ],
};

/** Checks that nothing is held once no client is connected and nothing runs. */
async function assertNothingHeld({ server }: Stage): Promise<void> {
  const held = () => {
    const { logs, logBytes, ...counts } = server.troupe.stats();
    return counts;
  };
  await until(() => held().turns === 0 && held().connections === 0);
  assert.deepEqual(held(), {
    ...{ connections: 0, turns: 0, places: 0, watchers: 0, subscriptions: 0, reservedTokens: 0 },
    requestBytes: 0,
  });
}

for (const [name, [expected, scenario]] of Object.entries(scenarios)) {
  test(`after ${name}, twice, the one place is free again and nothing is held`, async () => {
    await using stage = await startNarrow();
    const client = await stage.server.connect();
    stage.upstream.respond(scenario.script ?? whole);
    for (const id of ["first", "second"]) assert.equal(await scenario.play(client, id, stage), expected);
    stage.upstream.respond(whole);
    assert.equal(await ask(client, "good", question("good")), "completed");
    client.close();
    await client.closed;
    await assertNothingHeld(stage);
  });
}

for (const [name, options, code, renewedAfterMs] of [
  ["the minute of a key", { requestsPerMinute: 1 }, "request_rate_exceeded", 60_000],
  ["the day of a key", { tokensPerDay: 60 }, "day_budget_spent", 86_400_000],
  ["the day of the server", { serverTokensPerDay: 60 }, "day_budget_spent", 86_400_000],
] as const) {
  test(`after refusals because ${name} is used up, the one place is free again`, async () => {
    await using stage = await startNarrow(options);
    const client = await stage.server.connect();
    stage.upstream.respond(whole);
    assert.equal(await ask(client, "good", question("good")), "completed");
    for (const id of ["first", "second"]) assert.equal(await ask(client, id, question(id)), code);
    assert.equal(stage.server.troupe.stats().places, 0);
    await stage.clock.advance(renewedAfterMs);
    const again = await stage.server.connect();
    assert.equal(await ask(again, "again", question("again")), "completed");
    again.close();
    client.close();
    await Promise.all([again.closed, client.closed]);
    await assertNothingHeld(stage);
  });
}
