import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSpokenApi } from "../../src/compose/spoken-api.ts";
import { textMessage } from "../../src/ports/item.ts";
import type { Provider, ProviderRequest } from "../../src/ports/provider.ts";
import { TroupeError } from "../../src/protocol/errors.ts";

const { signal } = new AbortController();
const question: ProviderRequest = { model: "m", input: [textMessage("user", "Rain?")] };
const lost = new TroupeError("upstream_invalid_request", {
  cause: Object.assign(new Error("Not found."), { status: 404 }),
});

interface Scripted extends Provider {
  calls: number;
  /** The error of its next calls. */
  fault: unknown;
}

function scripted(name: string, fault?: unknown): Scripted {
  const provider: Scripted = {
    ...{ name, simulated: false, calls: 0, fault },
    async *stream() {
      provider.calls += 1;
      if (provider.fault !== undefined) throw provider.fault;
      yield [{ type: "started" }];
      yield [{ type: "end", finishReason: "stop", model: name }];
    },
  };
  return provider;
}

/** The model that answered, or the error. */
async function ask(provider: Provider, more: Partial<ProviderRequest> = {}, from?: object): Promise<unknown> {
  const call = from === undefined ? { signal } : { signal, from: {} };
  try {
    let model: unknown;
    for await (const batch of provider.stream({ ...question, ...more }, call))
      for (const event of batch) if (event.type === "end") model = event.model;
    return model;
  } catch (error) {
    return error;
  }
}

describe("the API that a server speaks", () => {
  it("is found by the first answer", async () => {
    const [responses, chat] = [scripted("responses", lost), scripted("chat")];
    const spoken = createSpokenApi(responses, chat);
    assert.deepEqual([await ask(spoken), await ask(spoken)], ["chat", "chat"]);
    assert.deepEqual([responses.calls, chat.calls], [1, 2]);
  });

  it("is not looked for again once the Responses API has answered", async () => {
    const [responses, chat] = [scripted("responses"), scripted("chat")];
    const spoken = createSpokenApi(responses, chat);
    assert.equal(await ask(spoken), "responses");
    responses.fault = lost;
    assert.deepEqual([await ask(spoken), chat.calls], [lost, 0]);
  });

  it("is not known by a failure of the other route", async () => {
    const busy = new TroupeError("upstream_overloaded");
    const [responses, chat] = [scripted("responses", lost), scripted("chat", busy)];
    const spoken = createSpokenApi(responses, chat);
    assert.equal(await ask(spoken), busy);
    chat.fault = undefined;
    assert.deepEqual([await ask(spoken), responses.calls], ["chat", 2]);
  });

  it("is not told by a 404 that may mean a conversation at the server", async () => {
    const [responses, chat] = [scripted("responses", lost), scripted("chat")];
    const names = { options: { conversation: "conv_1" } };
    assert.deepEqual([await ask(createSpokenApi(responses, chat), names), chat.calls], [lost, 0]);
  });

  it("does not decide about a response to continue: the caller then sends the whole context", async () => {
    const isLacking = (thrown: unknown) =>
      thrown instanceof TroupeError && thrown.code === "previous_response_not_found";
    const [responses, chat] = [scripted("responses", lost), scripted("chat")];
    const names = { previousResponseId: "resp_1" };
    assert.ok(isLacking(await ask(createSpokenApi(responses, chat), names)));
    assert.deepEqual([responses.calls, chat.calls], [1, 0]);
    // A server that keeps no response is not asked for one.
    assert.ok(isLacking(await ask(createSpokenApi(responses, chat, false), names)));
    assert.deepEqual([responses.calls, chat.calls], [1, 0]);
  });

  it("is the Responses API for an answer that goes on after a restart", async () => {
    const [responses, chat] = [scripted("responses", lost), scripted("chat")];
    assert.deepEqual([await ask(createSpokenApi(responses, chat), {}, {}), chat.calls], [lost, 0]);
  });

  it("is not looked for by a reader that leaves, or after another error", async () => {
    const [responses, chat] = [scripted("responses", new Error("a defect")), scripted("chat")];
    const spoken = createSpokenApi(responses, chat);
    const batches = spoken.stream(question, { signal })[Symbol.asyncIterator]();
    assert.deepEqual(await batches.return?.(), { done: true, value: undefined });
    assert.deepEqual([await batches.next(), responses.calls], [{ done: true, value: undefined }, 0]);
    assert.match(String(await ask(spoken)), /a defect/);
    assert.equal(chat.calls, 0);
  });
});
