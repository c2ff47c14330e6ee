import assert from "node:assert/strict";
import { describeWithBothStores, type Reply, type System } from "./http-client.ts";

interface Summary {
  readonly id: string;
  readonly title: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly head_id?: string;
}

interface Message {
  readonly id: string;
  readonly parent_id?: string;
  readonly request_id?: string;
  readonly role: string;
  readonly text: string;
}

const list = async (system: System, query = "") =>
  (await system.call("GET", `/api/conversations${query}`)).body as {
    conversations: Summary[];
    next?: string;
  };
const search = async (system: System, words: string, owner: "ada" | "bob" = "ada") => {
  const address = `/api/conversations?q=${encodeURIComponent(words)}`;
  return (await system.call("GET", address, { owner })).body as { matches: Record<string, string>[] };
};
const refusal = ({ status, body }: Reply) => [status, body];

describeWithBothStores("conversations over HTTP", [
  [
    "are listed, the last changed first, page by page",
    async (system) => {
      const ids = [
        await system.ask("r-1", "One?"),
        await system.ask("r-2", "Two?"),
        await system.ask("r-3", "3?"),
      ];
      const all = await list(system);
      assert.deepEqual(
        all.conversations.map(({ id, title }) => [id, title]),
        [
          [ids[2], "3?"],
          [ids[1], "Two?"],
          [ids[0], "One?"],
        ],
      );
      assert.equal("next" in all, false);
      for (const { created_at, updated_at, head_id } of all.conversations) {
        assert.ok(Date.parse(created_at) <= Date.parse(updated_at) && /Z$/.test(created_at));
        assert.equal(typeof head_id, "string");
      }
      const first = await list(system, "?limit=2");
      const second = await list(system, `?limit=2&before=${first.next}&q=`);
      assert.deepEqual([...first.conversations, ...second.conversations], all.conversations);
      assert.equal("next" in second, false);
      await system.ask("r-4", "More?", { conversation: ids[0] ?? "" });
      assert.equal((await list(system)).conversations[0]?.id, ids[0]);
    },
  ],
  [
    "are read as a whole, and no persona's instructions with them",
    async (system) => {
      const id = await system.ask("r-1", "Why is the sky blue? 😀");
      await system.ask("r-2", "And at night?", { conversation: id });
      const { status, headers, text, body } = await system.call("GET", `/api/conversations/${id}`);
      assert.equal(status, 200);
      assert.equal(headers.get("content-type"), "application/json");
      assert.equal(headers.get("cache-control"), "no-store");
      const { messages, ...summary } = body as Summary & { messages: Message[] };
      assert.deepEqual((await list(system)).conversations, [summary]);
      assert.deepEqual(
        messages.map(({ role, request_id, parent_id }) => [role, request_id, parent_id]),
        [
          ["user", "r-1", undefined],
          ["assistant", "r-1", messages[0]?.id],
          ["user", "r-2", messages[1]?.id],
          ["assistant", "r-2", messages[2]?.id],
        ],
      );
      assert.equal(messages[0]?.text, "Why is the sky blue? 😀");
      assert.equal(summary.head_id, messages[3]?.id);
      const fields = new Set(messages.flatMap((message) => Object.keys(message)));
      assert.deepEqual([...fields].sort(), [
        "created_at",
        "id",
        "parent_id",
        "persona_id",
        "persona_name",
        "request_id",
        "role",
        "status",
        "text",
      ]);
      assert.doesNotMatch(text, /instructions|system_prompt/);
    },
  ],
  [
    "are renamed, on one line",
    async (system) => {
      const id = await system.ask("r-1", "One?");
      const rename = (body: unknown) => system.call("PATCH", `/api/conversations/${id}`, { body });
      const { status, body } = await rename({ title: "  A\n new\u0000\ttitle 😀 ", unknown: 1 });
      assert.deepEqual([status, body], [200, { id, title: "A new title 😀" }]);
      assert.equal((await list(system)).conversations[0]?.title, "A new title 😀");
      assert.equal((await rename({ title: "😀".repeat(200) })).status, 200);
      const bad = [
        { title: "" },
        { title: " \n" },
        { title: "x".repeat(201) },
        { title: 7 },
        {},
        { title: null },
      ];
      for (const value of bad) {
        const reply = await rename(value);
        const { code, field, message } = reply.body as Record<string, string>;
        assert.deepEqual([reply.status, code, field], [400, "invalid_message", "title"]);
        assert.doesNotMatch(String(message), /xxx/);
      }
      for (const value of ["", "{", "[]", "7", "null", "\u0000"]) {
        const reply = await rename(value);
        const { code, field } = reply.body as Record<string, string>;
        assert.deepEqual([reply.status, code, field], [400, "invalid_message", "body"], value);
      }
      assert.equal((await list(system)).conversations[0]?.title, "😀".repeat(200));
    },
  ],
  [
    "are deleted with their messages, their matches and their ended requests",
    async (system) => {
      const id = await system.ask("r-1", "A canary?");
      const kept = await system.ask("r-2", "A canary elsewhere?");
      assert.equal((await search(system, "canary")).matches.length, 2);
      const deleted = await system.call("DELETE", `/api/conversations/${id}`);
      assert.deepEqual([deleted.status, deleted.text], [204, ""]);
      const { matches } = await search(system, "canary");
      assert.deepEqual(
        matches.map(({ conversation_id }) => conversation_id),
        [kept],
      );
      assert.deepEqual(
        (await list(system)).conversations.map((one) => one.id),
        [kept],
      );
      assert.equal((await system.call("GET", "/api/requests/r-1")).status, 404);
      assert.equal((await system.call("GET", "/api/requests/r-2")).status, 200);
      const never = refusal(await system.call("DELETE", "/api/conversations/never-was"));
      assert.deepEqual(refusal(await system.call("DELETE", `/api/conversations/${id}`)), never);
      assert.deepEqual(refusal(await system.call("GET", `/api/conversations/${id}`)), never);
      const client = await system.server.connect({
        headers: { authorization: "Bearer ada-0123456789abcdef" },
      });
      client.send({ type: "resume", data: { request_id: "r-1", after_seq: 0 } });
      const answer = await client.next();
      assert.ok(answer.type === "error" && answer.code === "request_not_found");
    },
  ],
  [
    "are searched by their words, in every language, whatever else the query holds",
    async (system) => {
      const id = await system.ask("r-1", "Ein schöner Canary in 東京");
      for (const words of ["canary", "SCHON", "東京", "schöner can"]) {
        const { matches } = await search(system, words);
        assert.ok(matches.length > 0, words);
        const [match] = matches.slice(-1);
        assert.deepEqual(Object.keys(match ?? {}).sort(), [
          "conversation_id",
          "excerpt",
          "message_id",
          "title",
        ]);
        assert.deepEqual([match?.conversation_id, match?.excerpt], [id, "Ein schöner Canary in 東京"]);
      }
      for (const words of ['" OR "', "canary)", "NEAR(", "* ", "words:canary", "';--", "canary AND zebra"])
        assert.equal(
          (await system.call("GET", `/api/conversations?q=${encodeURIComponent(words)}`)).status,
          200,
        );
      assert.deepEqual(await search(system, "zebra"), { matches: [] });
      assert.deepEqual(await search(system, "canary", "bob"), { matches: [] });
      const page = await system.call("GET", "/api/conversations?q=canary&limit=1");
      assert.equal((page.body as { matches: unknown[] }).matches.length, 1);
    },
  ],
  [
    "refuse what is not a page, a search or a format, and say which field",
    async (system) => {
      const id = await system.ask("r-1", "One?");
      const rows = [
        ["?limit=0", "limit"],
        ["?limit=101", "limit"],
        ["?limit=-1", "limit"],
        ["?limit=1e1", "limit"],
        ["?limit=ten", "limit"],
        ["?before=a%20b", "before"],
        ["?before=none", "before"],
        ["?before=0", "before"],
        ["?before=9007199254740993", "before"],
        [`?before=${"1".repeat(65)}`, "before"],
        ["?q=one&before=1", "before"],
        [`?q=${"x".repeat(201)}`, "q"],
        [`/${id}/export?format=pdf`, "format"],
      ] as const;
      for (const [query, field] of rows) {
        const { status, body } = await system.call("GET", `/api/conversations${query}`);
        const { code, field: named, ...rest } = body as Record<string, string>;
        assert.deepEqual(
          [status, code, named, Object.keys(rest)],
          [400, "invalid_message", field, ["message"]],
        );
      }
      assert.equal((await list(system, "?limit=100&before=")).conversations.length, 1);
    },
  ],
  [
    "answer about another owner's, and about ids that cannot be, exactly as about ids that never were",
    async (system) => {
      const hers = await system.ask("hers", "Secret?");
      const before = (await system.call("GET", `/api/conversations/${hers}`)).text;
      const calls = [
        ["GET", "", undefined],
        ["PATCH", "", { title: "Mine" }],
        ["PATCH", "", { title: "" }],
        ["DELETE", "", undefined],
        ["GET", "/export", undefined],
        ["GET", "/export?format=markdown", undefined],
      ] as const;
      const malformed = ["%00", "a%2Fb", "a%20b", "..%2F..", "%E4%B8%96", "x".repeat(129), "%ff"];
      const spellings = [
        hers.toUpperCase(),
        `${hers}%20`,
        `%20${hers}`,
        `${hers}%00`,
        hers.replaceAll("-", "_"),
      ];
      for (const [method, rest, body] of calls) {
        const answer = async (id: string) =>
          refusal(await system.call(method, `/api/conversations/${id}${rest}`, { owner: "bob", body }));
        const never = await answer("never-was");
        for (const id of [hers, ...(body?.title === "" ? [] : [...malformed, ...spellings])])
          assert.deepEqual(await answer(id), never, `${method} ${id}${rest}`);
      }
      assert.deepEqual((await system.call("GET", "/api/conversations", { owner: "bob" })).body, {
        conversations: [],
      });
      assert.equal((await system.call("GET", `/api/conversations/${hers}`)).text, before);
      for (const [method] of calls)
        assert.equal((await system.call(method, `/api/conversations/${hers}`, { owner: null })).status, 401);
    },
  ],
  [
    "change for no page of another site, and for no body without end",
    async (system) => {
      const id = await system.ask("r-1", "One?");
      const { port } = new URL(system.server.httpUrl);
      const rows = [
        ["https://evil.com", 403],
        [`http://evil.com:${port}`, 403],
        ["http://localhost.evil.com", 403],
        ["localhost", 403],
        [system.server.httpUrl, 200],
        ["http://localhost:5173", 200],
      ] as const;
      for (const [origin, status] of rows) {
        const body = { title: origin };
        const reply = await system.call("PATCH", `/api/conversations/${id}`, { body, headers: { origin } });
        assert.equal(reply.status, status, origin);
        if (status === 403) assert.equal((reply.body as { code: string }).code, "forbidden_origin");
      }
      const headers = { origin: "https://evil.com" };
      assert.equal((await system.call("DELETE", `/api/conversations/${id}`, { headers })).status, 403);
      assert.equal((await system.call("GET", `/api/conversations/${id}`, { headers })).status, 200);
      assert.equal((await list(system)).conversations[0]?.title, "http://localhost:5173");
      const title = "x".repeat(70_000);
      const large = await system.call("PATCH", `/api/conversations/${id}`, { body: { title } });
      assert.deepEqual([large.status, (large.body as { code: string }).code], [413, "body_too_large"]);
      for (const [bytes, status] of [
        [30_000, 200],
        [70_000, 413],
      ] as const)
        assert.equal(await patchInPieces(system, id, bytes), status);
      assert.equal((await list(system)).conversations[0]?.title, "In pieces");
    },
  ],
]);

/** Sends a body without a length: a title after many spaces. */
async function patchInPieces(system: System, id: string, bytes: number): Promise<number> {
  const pieces = [...Array.from({ length: bytes / 1_000 }, () => " ".repeat(1_000)), '{"title":"In pieces"}'];
  const response = await fetch(`${system.server.httpUrl}/api/conversations/${id}`, {
    method: "PATCH",
    headers: { authorization: "Bearer ada-0123456789abcdef" },
    body: ReadableStream.from(pieces).pipeThrough(new TextEncoderStream()),
    duplex: "half",
  });
  await response.text();
  return response.status;
}
