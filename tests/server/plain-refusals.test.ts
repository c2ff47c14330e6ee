import assert from "node:assert/strict";
import { test } from "node:test";
import { validatorWords } from "../protocol/validator-words.ts";
import { startTroupe } from "../support/start-troupe.ts";

const adminKey = "admin-0123456789abcdef";

const wrong = [
  ...[
    null,
    true,
    0,
    -1,
    1.5,
    1e300,
    "",
    " ",
    "abc",
    "NaN",
    "x".repeat(2_000),
    "2026-02-31",
    "a\nb",
    "\u00e4",
  ],
  ...[[], {}, { connections: "many" }, { connections: 0 }, { conections: 1 }],
];

const bodies: readonly (readonly [method: string, path: string, fields: readonly string[]])[] = [
  ["POST", "/api/keys", ["owner", "name", "limits", "ownr"]],
  ["PATCH", "/api/conversations/c-1", ["title", "titel"]],
];
const queries: readonly (readonly [path: string, fields: readonly string[]])[] = [
  ["/api/conversations", ["limit", "before", "q"]],
  ["/api/conversations/c-1/export", ["format"]],
  ["/api/usage", ["from", "to"]],
];

test("a refused part of an HTTP request is told in one plain sentence, for every kind of wrong value", async () => {
  await using server = await startTroupe({
    adminKey,
    apiKeys: [{ owner: "ada", key: "ada-0123456789abcdef" }],
  });
  let refusals = 0;
  async function look(path: string, init: RequestInit, key: string) {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const response = await fetch(`${server.httpUrl}${path}`, { ...init, headers });
    if (response.status !== 400) return void (await response.body?.cancel());
    const {
      code,
      field = "",
      message,
    } = (await response.json()) as { code: string; field?: string; message: string };
    assert.equal(code, "invalid_message");
    refusals += 1;
    const sentence = message.replace("A field of the message is not valid. ", "");
    assert.ok(sentence.startsWith(`${field} `) || sentence.startsWith(`${field}: `), sentence);
    assert.match(sentence, /^\S+ (must|is|has) .*[^.]\.$|: at most \d+ days before to\.$/, sentence);
    assert.doesNotMatch(sentence, validatorWords);
  }
  for (const [method, path, fields] of bodies)
    for (const field of fields)
      for (const value of wrong) {
        const least = path === "/api/keys" ? { owner: "ada" } : { title: "t" };
        const key = path === "/api/keys" ? adminKey : "ada-0123456789abcdef";
        await look(path, { method, body: JSON.stringify({ ...least, [field]: value }) }, key);
        await look(path, { method, body: JSON.stringify(value) }, key);
      }
  for (const [path, fields] of queries)
    for (const field of fields)
      for (const value of wrong) {
        const query = new URLSearchParams({ [field]: String(value) });
        await look(`${path}?${query}`, {}, "ada-0123456789abcdef");
        await look(`${path}?${query}&q=x&before=y`, {}, "ada-0123456789abcdef");
      }
  assert.ok(refusals > 100, String(refusals));
});
