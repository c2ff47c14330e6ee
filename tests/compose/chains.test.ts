import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TroupeConfig } from "../../src/compose/config-file.ts";
import { chainsOf, uselessLinks } from "../../src/compose/providers/catalog.ts";
import { completeSettings, readSettings } from "../../src/compose/read-settings.ts";
import { SettingError } from "../../src/compose/settings.ts";

const settings = completeSettings({});
const read = (line: string) => readSettings([], { env: { TROUPE_FALLBACK: line } }).settings;
const link = (api: string, model?: string) => ({ api, model, hasLargerContext: false });

describe("the chains of the settings and the config file", () => {
  it("are read from one line, and the file's come first", () => {
    const written = read("openai/gpt-4o > groq/meta/llama>gemini, groq>openai");
    const chains = chainsOf(written, {
      fallback: { groq: ["mistral", { to: "gemini/g", largerContext: true }] },
    });
    assert.deepEqual(
      [...chains],
      [
        ["openai/gpt-4o", [link("groq", "meta/llama"), link("gemini")]],
        ["groq", [link("mistral"), { ...link("gemini", "g"), hasLargerContext: true }]],
      ],
    );
  });

  it("are refused in one line", () => {
    for (const written of ["openai", "openai>", "Openai>groq", "openai>/m"])
      assert.throws(() => read(`groq>openai,${written}`), {
        message: /TROUPE_FALLBACK.*entry 2 must name two or more links, each as api or api\/model/,
      });
    const refused: readonly (readonly [TroupeConfig["fallback"], string])[] = [
      [{ openai: ["gorq"] }, "no endpoint has the name gorq; did you mean groq?"],
      [{ constructor: ["groq"] }, "no endpoint has the name constructor"],
      [{ openai: ["groq", "groq"] }, "a chain comes to groq twice"],
      [{ openai: ["groq", "openai"] }, "a chain comes to openai twice"],
    ];
    for (const [fallback = {}, message] of refused)
      assert.throws(
        () => chainsOf(settings, { fallback }),
        new SettingError(`fallback in the config file: ${message}`),
      );
  });

  it("warn of a link that has no key", () => {
    const chains = chainsOf(settings, { fallback: { openai: ["groq", "gemini"] } });
    assert.deepEqual(uselessLinks(chains, ["openai", "gemini"]), [
      '"groq" in a fallback is left out: no such endpoint is configured, and no key of it is set',
    ]);
  });
});
