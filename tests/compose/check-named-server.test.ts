import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createUpstreamAgents } from "../../src/adapters/upstream/upstream-call.ts";
import { checkNamedServer } from "../../src/compose/local-server.ts";
import { completeSettings } from "../../src/compose/read-settings.ts";
import type { Settings } from "../../src/compose/settings.ts";
import { createModelServer, listing } from "../doubles/model-server.ts";
import { createProxyDouble } from "../doubles/proxy-double.ts";
import { createTestClock } from "../support/test-clock.ts";

async function warningsFor(settings: Partial<Settings>, proxy?: string): Promise<string[]> {
  using agents = createUpstreamAgents({ all: proxy });
  const warnings: string[] = [];
  const onWarning = (warning: string) => void warnings.push(warning);
  await checkNamedServer(completeSettings(settings), { agents, clock: createTestClock(), onWarning });
  return warnings;
}

describe("a server of this machine that OPENAI_BASE_URL names", () => {
  it("is told if nothing listens there", async () => {
    assert.deepEqual(await warningsFor({ openaiBaseUrl: "http://127.0.0.1:9/v1" }), [
      "OPENAI_BASE_URL: http://127.0.0.1:9/v1 is not there: nothing listens at this port",
    ]);
  });

  it("is told with its models if it has not the one that is asked for", async () => {
    await using models = await createModelServer({ list: listing("a", "b", "c", "d", "e", "f") });
    assert.deepEqual(await warningsFor({ openaiBaseUrl: models.baseUrl }), [
      `TROUPE_MODEL: ${models.baseUrl} does not list gpt-4o-mini; it has a, b, c, d, e, ...`,
    ]);
    assert.deepEqual(await warningsFor({ openaiBaseUrl: models.baseUrl, model: "f" }), []);
  });

  it("is not told if it keeps its list to itself", async () => {
    await using models = await createModelServer({
      list(response) {
        response.statusCode = 401;
        response.end("{}");
      },
    });
    assert.deepEqual(await warningsFor({ openaiBaseUrl: models.baseUrl, openaiApiKey: "k" }), []);
  });

  it("is asked nothing if it is anywhere else, or not named", async () => {
    await using proxy = await createProxyDouble();
    for (const settings of [{ openaiBaseUrl: "http://provider.example/v1" }, { openaiApiKey: "k" }, {}])
      assert.deepEqual(await warningsFor(settings, `http://${proxy.host}`), []);
    assert.deepEqual(proxy.calls, []);
  });
});
