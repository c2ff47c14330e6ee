import assert from "node:assert/strict";
import { test } from "node:test";
import { ownSecret } from "../../src/page/own-secret.ts";

test("a browser's secret is made once and kept, as long as it keeps anything", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
  } as Storage;
  const first = ownSecret(() => storage);
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(
    ownSecret(() => storage),
    first,
  );
  const without = ownSecret(() => {
    throw new DOMException("switched off", "SecurityError");
  });
  assert.match(without, /^[0-9a-f]{64}$/);
  assert.notEqual(without, first);
});
