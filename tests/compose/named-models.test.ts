import assert from "node:assert/strict";
import { test } from "node:test";
import { modelsNamedIn } from "../../src/compose/providers/catalog.ts";
import { readSettings } from "../../src/compose/read-settings.ts";
import { defaultSettings } from "../../src/compose/settings.ts";

test("the models that the settings and every part of the config file name have labels of their own", () => {
  const env = { TROUPE_MODEL: "own", TROUPE_FALLBACK: "openai/first>groq/meta/llama" };
  const named = modelsNamedIn(readSettings([], { env }).settings, {
    providers: { mine: { kind: "anthropic", baseUrl: "http://127.0.0.1:1", model: "c-1", models: ["c-2"] } },
    fallback: { mine: [{ to: "openai/gpt", largerContext: true }] },
    prices: { "groq/cheap": { input: 1, output: 2 } },
  });
  const expected = ["own", "first", "meta/llama", "c-1", "c-2", "gpt", "groq/cheap", "cheap"];
  assert.deepEqual([...named].sort(), expected.sort());
  assert.deepEqual([...modelsNamedIn(defaultSettings())], [defaultSettings().model]);
});
