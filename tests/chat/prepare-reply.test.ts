import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { prepareReply } from "../../src/chat/prepare-reply.ts";
import { recoverLanes } from "../../src/chat/recovered-lanes.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { TurnStep } from "../../src/ports/turn-event.ts";
import type { TurnRequest } from "../../src/ports/turn-request.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { answering, createChatSetup, play } from "./chat-setup.ts";
import { rawPacing } from "./paced-run.ts";

const owner = "owner";
const personasRequest = {
  kind: "personas",
  input: [textMessage("user", "Well?")],
  personaIds: ["ada", "bob"],
  api: "openai",
  pacing: rawPacing,
  showText: true,
} as const satisfies TurnRequest;

async function setUp() {
  const setup = createChatSetup(answering("Hi."));
  const conversationId = await setup.dependencies.conversations.create(owner);
  const prepare = (request: TurnRequest, conversation: string | undefined = conversationId) =>
    prepareReply(request, { owner, id: "req-1", conversationId: conversation }, setup.dependencies);
  return { ...setup, conversationId, prepare };
}

const isRefusal = (code: string, field: string) => (error: unknown) =>
  error instanceof TroupeError && error.code === code && error.field === field;

describe("preparing a reply", () => {
  it("names the lanes and starts nothing", async () => {
    const { prepare, choice, dependencies, conversationId } = await setUp();
    const prepared = await prepare(personasRequest);
    assert.deepEqual(prepared.lanes, ["ada", "bob"]);
    assert.equal(choice.requests.length, 0);
    assert.deepEqual(await dependencies.conversations.head(owner, conversationId), {});
  });

  it("starts with a reply that answers, and remembers both under the request", async () => {
    const { prepare, context, dependencies, conversationId, questions } = await setUp();
    const { reply, question } = await prepare(personasRequest);
    assert.ok(question !== undefined);
    questions.placeQuestion({ owner, id: "req-1", contentHash: "hash", conversationId }, question)?.();
    const { result } = await play((emit) => reply({ ...context, emit }));
    assert.equal(result?.answer.kind === "personas" && result.answer.combined, "Ada:\nHi.\n\nBob:\nHi.");
    const stored = await dependencies.conversations.ofRequest(owner, conversationId, "req-1");
    assert.deepEqual(
      stored.map(({ text }) => text),
      ["Well?", "Hi.", "Hi."],
    );
  });

  it("needs neither personas nor a conversation for a call of the Responses API", async () => {
    const { prepare, context } = await setUp();
    const request = {
      kind: "responses",
      input: [textMessage("user", "x")],
      includeReasoning: false,
      options: {},
    } as const;
    const prepared = await prepare({ ...request, pacing: rawPacing }, "no conversation");
    assert.deepEqual(prepared.lanes, []);
    const { result } = await play((emit) => prepared.reply({ ...context, emit }));
    assert.equal(result?.answer.kind === "responses" && result.answer.text, "Hi.");
  });

  it("refuses personas that do not exist or occur twice, naming the place", async () => {
    const { prepare } = await setUp();
    const several = (...personaIds: string[]) => prepare({ ...personasRequest, personaIds });
    await assert.rejects(several("ada", "nobody"), isRefusal("persona_not_found", "personaIds.1"));
    await assert.rejects(several("ada", "bob", "ada"), isRefusal("persona_repeated", "personaIds.2"));
    await assert.rejects(
      prepare({ ...personasRequest, kind: "persona", personaIds: ["nobody"] }),
      isRefusal("persona_not_found", "personaId"),
    );
  });

  it("refuses a conversation that does not exist or is another owner's", async () => {
    const { prepare, dependencies } = await setUp();
    const others = await dependencies.conversations.create("other");
    for (const conversation of ["unknown", others])
      await assert.rejects(
        prepare(personasRequest, conversation),
        isRefusal("conversation_not_found", "conversationId"),
      );
  });

  it("of another process first tells which lanes start again: those that had not ended", async () => {
    const text = (lane: string, final: boolean): TurnStep => ({ type: "text", text: "Hm", final, lane });
    for (const [steps, voids] of [
      [
        [text("ada", false), text("bob", false)],
        ["ada", "bob"],
      ],
      [[text("ada", true), text("bob", false)], ["bob"]],
      [[text("ada", true), text("bob", true)], undefined],
    ] as const) {
      const { context, dependencies, conversationId } = await setUp();
      const place = { owner, id: "req-1", conversationId };
      const { reply } = await prepareReply(personasRequest, place, dependencies, recoverLanes(steps));
      const { events } = await play((emit) => reply({ ...context, emit }));
      const resets = events.flatMap((event) => (event.type === "reset" ? [event.lanes] : []));
      assert.deepEqual(resets, voids === undefined ? [] : [voids.map((lane) => ({ lane }))]);
    }
  });

  it("passes on that no provider answers", async () => {
    const refusal = new TroupeError("provider_not_configured");
    const { dependencies, conversationId } = await setUp();
    const choose = () => {
      throw refusal;
    };
    const without = { ...dependencies, providers: { choose } };
    await assert.rejects(
      prepareReply(personasRequest, { owner, id: "req-1", conversationId }, without),
      refusal,
    );
  });
});
