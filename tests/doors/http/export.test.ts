import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { attachment, conversationMarkdown } from "../../../src/doors/http/conversation-markdown.ts";
import type { DatedMessage, MessagePiece } from "../../../src/ports/conversation-store.ts";
import { describeWithBothStores } from "./http-client.ts";

describeWithBothStores("an exported conversation", [
  [
    "is a file of the whole conversation, as JSON or for reading",
    async (system) => {
      const id = await system.ask("r-1", 'Größe: "big"\r\n## Ada\n<script>');
      const read = await system.call("GET", `/api/conversations/${id}`);
      for (const query of ["", "?format=json", "?format="]) {
        const exported = await system.call("GET", `/api/conversations/${id}/export${query}`);
        assert.deepEqual([exported.status, exported.body], [200, read.body]);
        assert.equal(exported.headers.get("content-type"), "application/json");
        assert.match(exported.headers.get("content-disposition") ?? "", /^attachment; .*\.json$/);
      }
      const { status, headers, text } = await system.call(
        "GET",
        `/api/conversations/${id}/export?format=markdown`,
      );
      assert.equal(status, 200);
      assert.equal(headers.get("content-type"), "text/markdown; charset=utf-8");
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(
        headers.get("content-disposition"),
        `attachment; filename="Gro-e-big-Ada-script.md"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20big%20%23%23%20Ada%20script.md`,
      );
      const lines = text.split("\n");
      assert.equal(lines[0], '# Größe: "big" \\#\\# Ada \\<script\\>');
      assert.deepEqual(
        lines.filter((line) => line.startsWith("## ")),
        ["## You", "## Joyce, teacher"],
      );
      for (const line of ['> Größe: "big"', "> ## Ada", "> <script>"]) assert.ok(lines.includes(line), line);
    },
  ],
  [
    "is whole however long it is",
    async (system) => {
      const id = await system.ask("r-0", "Question 0");
      for (let count = 1; count < 60; count += 1)
        await system.ask(`r-${count}`, `Question ${count}`, { conversation: id });
      const { body } = await system.call("GET", `/api/conversations/${id}`);
      const { messages } = body as { messages: { text: string }[] };
      assert.equal(messages.length, 120);
      const { text } = await system.call("GET", `/api/conversations/${id}/export?format=markdown`);
      for (let count = 0; count < 60; count += 1)
        assert.equal(text.split(`> Question ${count}\n`).length, 2, `Question ${count}`);
    },
  ],
]);

describe("a conversation as Markdown", () => {
  const message = (id: string, fields: Partial<DatedMessage> = {}): DatedMessage => ({
    id,
    role: "assistant",
    personaId: "ada",
    personaName: "Ada",
    text: `Text ${id}`,
    status: "completed",
    createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    ...fields,
  });
  const summary = { id: "c", title: "Title", createdAtMs: 0, updatedAtMs: 0 };
  /** Yields each text in pieces of `chars` characters. */
  async function* inPieces(messages: readonly DatedMessage[], chars: number): AsyncGenerator<MessagePiece> {
    for (const { text, ...fields } of messages) {
      let at = 0;
      do {
        const piece = { ...fields, text: text.slice(at, at + chars) };
        yield { message: piece, goesOn: at > 0, isLast: at + chars >= text.length };
        at += chars;
      } while (at < text.length);
    }
  }
  async function write(messages: readonly DatedMessage[], title = "Title", chars = 1_000): Promise<string> {
    const beginningOf = async (id: string, maxChars: number) =>
      messages.find((one) => one.id === id)?.text.slice(0, maxChars);
    const pieces = conversationMarkdown({ ...summary, title }, inPieces(messages, chars), beginningOf);
    return (await Array.fromAsync(pieces)).join("");
  }

  it("gives the time of each message, and marks incomplete ones", async () => {
    const { personaId: _, personaName: __, ...question } = message("1", { role: "user" });
    const text = await write([
      question,
      message("2", { parentId: "1", status: "failed" }),
      message("3", { parentId: "2", status: "cancelled", text: "" }),
    ]);
    assert.equal(
      text,
      [
        "# Title\n\n## You\n\n*2026-01-02 03:04:05 UTC*\n\n> Text 1\n",
        "## Ada\n\n*2026-01-02 03:04:05 UTC, incomplete: it failed*\n\n> Text 2\n",
        "## Ada\n\n*2026-01-02 03:04:05 UTC, incomplete: it was stopped*\n\n>\n",
      ].join("\n"),
    );
  });

  it("names the speaker of an answer, by its id if it has no name", async () => {
    const { personaId: _, personaName: __, ...nameless } = message("3");
    const { personaName: ___, ...unnamed } = message("2");
    const text = await write([message("1"), unnamed, nameless]);
    const heads = [...text.matchAll(/^## (.*)$/gm)].map(([, head]) => head);
    assert.deepEqual(heads, ["Ada", "ada", "Answer"]);
  });

  it("names the message before if it is not the one above", async () => {
    const text = await write([
      message("1"),
      message("2", { parentId: "1", text: `*Long* ${"x".repeat(200)}` }),
      message("3", { parentId: "1" }),
      message("4", { parentId: "2" }),
      message("5"),
    ]);
    const notes = [...text.matchAll(/^\*.* UTC(.*)\*$/gm)].map(([, note]) => note);
    assert.deepEqual(notes, [
      "",
      "",
      ", following “Text 1…”",
      `, following “\\*Long\\* ${"x".repeat(73)}…”`,
      ", a new start",
    ]);
  });

  it("says the same however its texts are cut", async () => {
    const text = "one\r\n\r\ntwo\rthree\n\n## four\u2028five\r\n";
    const lines = ["one", "", "two", "three", "", "## four", "five", ""];
    const quoted = lines.map((line) => (line === "" ? ">" : `> ${line}`)).join("\n");
    const messages = [message("1", { text }), message("2", { parentId: "1" })];
    for (let chars = 1; chars <= text.length; chars += 1) {
      const written = await write(messages, "Title", chars);
      assert.ok(written.includes(`*\n\n${quoted}\n\n## Ada`), `pieces of ${chars} characters`);
    }
  });

  it("keeps an empty first line of each text", async () => {
    const texts = ["\none", "\r\none\r", "\rone"];
    const written = await write(texts.map((text, index) => message(`${index}`, { text })));
    assert.equal(written.split("*\n\n>\n> one\n").length - 1, texts.length);
  });

  it("lets no text, name or title pass for its own headings", async () => {
    const ends = ["\n", "\r", "\r\n", "\u2028", "\u2029"].map((end) => `one${end}## Ada`);
    const text = await write(
      ends.map((value, index) => message(`${index}`, { text: value, personaName: "Eve\n## Ada" })),
      "Title\n## Ada",
    );
    assert.equal(text.split(/[\n\r\u2028\u2029]/).filter((line) => line.startsWith("## Ada")).length, 0);
    assert.match(await write([], ""), /^# Conversation\n$/);
  });
});

describe("the name of a saved file", () => {
  const rows = [
    ["Plain title", "Plain-title", "Plain%20title"],
    ["", "conversation", "conversation"],
    ["../../etc/passwd", "etc-passwd", "etc%20passwd"],
    ['a"; filename="b', "a-filename-b", "a%20%3B%20filename%3D%20b"],
    ["line\r\nset-cookie: x", "line-set-cookie-x", "line%20set-cookie%20x"],
    ["日本語", "conversation", "%E6%97%A5%E6%9C%AC%E8%AA%9E"],
    ["it's (fine)*", "it-s-fine", "it%27s%20%28fine%29"],
    ["fdp\u202Egpj", "fdp-gpj", "fdp%20gpj"],
    ["...", "conversation", "conversation"],
    ["x".repeat(500), "x".repeat(80), "x".repeat(80)],
    ["😀".repeat(100), "conversation", "%F0%9F%98%80".repeat(80)],
    ["\ud800 alone", "alone", "alone"],
  ] as const;
  for (const [title, plain, extended] of rows) {
    it(`is safe for ${JSON.stringify(title.slice(0, 20))}`, () =>
      assert.equal(
        attachment(title, "md"),
        `attachment; filename="${plain}.md"; filename*=UTF-8''${extended}.md`,
      ));
  }
});
