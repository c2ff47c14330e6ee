import assert from "node:assert/strict";
import { test } from "node:test";
import specs from "@asyncapi/specs";
import { Ajv, type SchemaObject } from "ajv";
import { asyncApi } from "../../src/protocol/async-api.ts";
import { clientMessages } from "../../src/protocol/client-messages.ts";
import { serverMessages } from "../../src/protocol/server-messages.ts";

test("the published document is AsyncAPI 3, as its own schema reads it", () => {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const isAsyncApi = ajv.compile(specs.schemasWithoutId["3.0.0"] as SchemaObject);
  assert.ok(isAsyncApi(asyncApi()), JSON.stringify(isAsyncApi.errors?.slice(0, 5)));
  assert.equal(isAsyncApi({ ...asyncApi(), channels: [] }), false);
});

test("every message of either side is in it, and every reference leads somewhere", () => {
  const document = asyncApi();
  const { messages, schemas } = document.components as Record<string, Record<string, unknown>>;
  const names = [...Object.keys(clientMessages), ...Object.keys(serverMessages)];
  assert.deepEqual(Object.keys(messages ?? {}).sort(), [...names].sort());
  for (const name of names) assert.ok(schemas?.[name] !== undefined, name);
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path);
  assert.ok(refs.length > names.length);
  for (const ref of refs) {
    const found = ref
      .split("/")
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
    assert.ok(found !== undefined, ref);
  }
});

test("every message that answers a frame can name that frame", () => {
  const { schemas } = asyncApi().components as {
    schemas: Record<string, { description?: string; properties?: Record<string, { description?: string }> }>;
  };
  const answers = Object.keys(serverMessages).filter((name) =>
    /^Answers `\w+`/.test(schemas[name]?.description ?? ""),
  );
  assert.ok(answers.length >= 5, answers.join());
  for (const name of answers)
    assert.equal(
      schemas[name]?.properties?.id?.description,
      "The `id` of the frame that this answers.",
      name,
    );
});
