import assert from "node:assert/strict";
import { it } from "node:test";
import { type ListForm, listModels } from "../../../src/adapters/upstream/list-models.ts";
import { createUpstreamAgents } from "../../../src/adapters/upstream/upstream-call.ts";
import { createModelServer, listing } from "../../doubles/model-server.ts";
import { createTestClock } from "../../support/test-clock.ts";

const forms: readonly ListForm[] = ["openai", "anthropic", "google"];

for (const form of forms)
  it(`no list in the form of ${form} is asked for after an abort`, async () => {
    await using models = await createModelServer({ list: listing("one") });
    using agents = createUpstreamAgents({});
    const signal = AbortSignal.abort();
    const list = await listModels(models.baseUrl, { agents, clock: createTestClock(), signal, form });
    assert.equal("models" in list, false);
    assert.deepEqual(models.asked, []);
  });
