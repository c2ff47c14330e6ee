import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../../src/compose/log-observer.ts";
import type { Provider, ProviderCatalog } from "../../src/ports/provider.ts";
import { startTroupe } from "../support/start-troupe.ts";

const fault = new Error("A defect with a secret.");
const chat = (id: string) => ({ type: "chat", id, data: { message: "Hi", persona_id: "teacher" } });
const question = (id: string) => ({ type: "openai_chat", id, data: { input_text: "Hi" } });

function catalogOf(stream: Provider["stream"]): ProviderCatalog {
  const provider: Provider = { name: "openai", simulated: false, stream };
  return { choose: (api) => ({ provider, api, model: "m" }) };
}

const broken: readonly (readonly [string, ProviderCatalog])[] = [
  [
    "before the request starts",
    {
      choose() {
        throw fault;
      },
    },
  ],
  [
    "when the provider is called",
    catalogOf(() => {
      throw fault;
    }),
  ],
];

for (const [place, providers] of broken)
  for (const ask of [question, chat])
    test(`a defect ${place} (${ask("").type}) is one line in the log, without a word of it on the wire, and the next request is served alike`, async () => {
      const lines: { readonly err: unknown; readonly message: string }[] = [];
      const quiet = () => undefined;
      const logger: Logger = {
        ...{ debug: quiet, info: quiet, warn: quiet },
        error: (fields, message) => lines.push({ err: "err" in fields ? fields.err : undefined, message }),
      };
      await using server = await startTroupe({ providers, logger, maxRequests: 1 });
      const client = await server.connect();
      for (const [index, id] of ["first", "second"].entries()) {
        client.send(ask(id));
        const error = await client.next(({ type }) => type === "error");
        assert.ok(error.type === "error" && error.code === "internal_error");
        assert.doesNotMatch(JSON.stringify(client.received), /secret/);
        assert.equal(lines.length, index + 1);
        assert.equal(lines[index]?.err, fault);
      }
    });
