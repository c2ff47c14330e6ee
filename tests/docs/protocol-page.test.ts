import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { decodeClientMessage } from "../../src/protocol/decode.ts";
import { serverMessage } from "../../src/protocol/server-messages.ts";

const page = await readFile(new URL("../../PROTOCOL.md", import.meta.url), "utf8");

/** The code of every block after a comment with this word. */
function blocks(word: string): string[] {
  const pattern = new RegExp(`<!-- ${word} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\`\`\``, "g");
  return [...page.matchAll(pattern)].map(([, code = ""]) => code);
}

test("each message that PROTOCOL.md shows fits its schema", () => {
  const messages = blocks("message").map((code) => serverMessage.parse(JSON.parse(code)));
  assert.deepEqual(
    messages.map(({ type }) => type),
    ["error", "status", "chunk", "response"],
  );
});

test("each line of the trace in PROTOCOL.md is a message of its side, and the numbers have no gap", () => {
  const [trace = ""] = blocks("trace");
  const seqs: number[] = [];
  for (const line of trace.trim().split("\n")) {
    const [, side, json = ""] = /^(→|←) (.*)$/.exec(line) ?? [];
    if (side === "→") assert.ok(decodeClientMessage(json).ok, json);
    if (side !== "←") continue;
    const message = serverMessage.parse({ message: "left out", ...JSON.parse(json) });
    if ("seq" in message && message.seq !== undefined) seqs.push(message.seq);
  }
  assert.deepEqual(
    seqs,
    seqs.map((_, index) => index + 1),
  );
  assert.equal(seqs.length, 9);
});

test("PROTOCOL.md has fewer than 5,000 words", () => {
  assert.ok(page.split(/\s+/).length < 5_000);
});
