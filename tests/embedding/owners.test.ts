import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { createTroupe, type TroupeOptions } from "../../src/compose/create-troupe.ts";
import type { PersonaStore } from "../../src/ports/persona.ts";
import { startTroupe } from "../support/start-troupe.ts";
import { createTestClock } from "../support/test-clock.ts";

const key = "ada-0123456789abcdef";
const apiKeys = [{ owner: "ada", key }];
const bearer = { authorization: `Bearer ${key}` };

test("a user of the application is never the owner of a key or an anonymous caller", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "troupe-owners-"));
  try {
    const asked = async (options: TroupeOptions, headers: Record<string, string>) => {
      await using server = await startTroupe({ store: "sqlite", data, ...options });
      const list = await fetch(`${server.httpUrl}/api/conversations`, { headers });
      const { conversations: before } = (await list.json()) as { conversations: unknown[] };
      const client = await server.connect({ headers });
      client.send({
        type: "chat",
        data: { message: "Mine.", persona_id: "skeptic", pacing: { mode: "raw" } },
      });
      assert.equal((await client.untilTerminal()).at(-1)?.type, "response");
      return before.length;
    };
    assert.equal(await asked({}, {}), 0);
    assert.equal(await asked({ apiKeys }, bearer), 0);
    assert.equal(await asked({ allowAnonymous: true }, bearer), 0);
    for (const owner of ["ada", "anonymous", "anonymous:ada", `key-0123456789abcdef`, "user:ada"]) {
      const authenticate = () => ({ owner });
      assert.equal(await asked({ authenticate }, bearer), 0, owner);
      assert.equal(await asked({ authenticate }, {}), 1, owner);
    }
    // The other way round it is refused as well.
    assert.equal(await asked({ apiKeys }, bearer), 1);
    assert.equal(await asked({}, {}), 1);
  } finally {
    await rm(data, { recursive: true });
  }
});

test("limits of a user hold, and are the user's alone", async () => {
  await using server = await startTroupe({
    authenticate: ({ headers }) => ({ owner: String(headers["x-user"]), limits: { connections: 1 } }),
  });
  await server.connect({ headers: { "x-user": "ada" } });
  await assert.rejects(server.connect({ headers: { "x-user": "ada" } }), /429/);
  await server.connect({ headers: { "x-user": "bob" } });
});

test("an application that serves any name needs nothing else, and nothing that would admit others", async () => {
  const options: TroupeOptions = { localProviders: [], store: "memory", allowedHosts: ["chat.example.com"] };
  await assert.rejects(createTroupe(options), /TROUPE_ALLOWED_HOSTS chat\.example\.com/);
  const authenticate = () => ({ owner: "ada" });
  await (await createTroupe({ ...options, authenticate })).close();
  for (const other of [{ apiKeys }, { adminKey: key }, { allowAnonymous: true }])
    await assert.rejects(createTroupe({ ...options, ...other, authenticate }), /authenticate alone decides/);
});

test("an application that does not answer is not waited for longer than ten seconds", async () => {
  const clock = createTestClock();
  const asked = Promise.withResolvers<void>();
  const authenticate = () => {
    asked.resolve();
    return new Promise<undefined>(() => undefined);
  };
  await using server = await startTroupe({ clock, authenticate });
  const answer = fetch(`${server.httpUrl}/api/personas`);
  await asked.promise;
  await clock.advance(10_000);
  assert.equal((await answer).status, 500);
});

test("a store of personas is asked by the user's own name, and a bad list stops the start", async () => {
  const asked: string[] = [];
  const porter = { id: "porter", name: "Porter", description: "", instructions: "You open doors." };
  const personas: PersonaStore = {
    async find(owner, id) {
      asked.push(`${owner} ${id}`);
      return owner === "ada" && id === "porter" ? porter : undefined;
    },
    list: async (owner) => (owner === "ada" ? [porter] : []),
  };
  await using server = await startTroupe({
    personas,
    authenticate: ({ headers }) => ({ owner: String(headers["x-user"]) }),
  });
  const listFor = async (user: string) => {
    const answer = await fetch(`${server.httpUrl}/api/personas`, { headers: { "x-user": user } });
    return ((await answer.json()) as { personas: { id: string }[] }).personas.map(({ id }) => id);
  };
  assert.deepEqual([await listFor("ada"), await listFor("bob")], [["porter"], []]);
  for (const [user, type] of [
    ["ada", "response"],
    ["bob", "error"],
  ] as const) {
    const client = await server.connect({ headers: { "x-user": user } });
    client.send({ type: "chat", data: { message: "Hello", persona_id: "porter", pacing: { mode: "raw" } } });
    assert.equal((await client.next(({ type }) => type === "response" || type === "error")).type, type);
  }
  assert.deepEqual(asked, ["ada porter", "bob porter"]);
  // The page itself is served without a user, so it names no user's personas.
  assert.match(await (await fetch(`${server.httpUrl}/`)).text(), /"personas":\[\]/);

  for (const bad of [[], [porter, porter], [{ ...porter, id: "no\nid" }], [{ ...porter, instructions: "" }]])
    await assert.rejects(
      createTroupe({ localProviders: [], store: "memory", personas: bad }),
      /^SettingError: personas/,
    );
});
