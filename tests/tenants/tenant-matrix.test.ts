import assert from "node:assert/strict";
import { test } from "node:test";
import { createHttpApp, type HttpAppOptions } from "../../src/doors/http/http-app.ts";
import { probePaths } from "../../src/doors/http/http-listener.ts";
import { clientMessageTypes } from "../fuzz/field-paths.ts";
import { bearer } from "../support/key-system.ts";
import { isTerminal, textOf, type WireClient } from "../support/wire-client.ts";
import { spellings } from "./spellings.ts";
import { messageWith, type Place, places, plainData, routeCalls } from "./tenant-cells.ts";
import { canary, startTwoTenants, type TwoTenants } from "./two-tenants.ts";

const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** An id of the same form that never existed. */
function neverWas(id: string): string {
  const other = (char: string) => (char === "9" ? "8" : "9");
  if (id.match(uuid) !== null) return crypto.randomUUID();
  return id.replace("hers", "none").replace(/\d$/, other);
}

/** The answer with its own id, and with ids that are new each time, replaced by placeholders. */
function masked(text: string, id: string): string {
  const written = [id, JSON.stringify(id).slice(1, -1), encodeURIComponent(id)];
  return written
    .reduce((shown, form) => (form === "" ? shown : shown.replaceAll(form, "<the id>")), text)
    .replaceAll(uuid, "<new>");
}

/** All messages that the socket gets about this message. */
async function exchange(client: WireClient, message: object, name: string): Promise<string> {
  const from = client.received.length;
  client.send(message);
  client.send({ type: "ping", id: name });
  const isAsk = /chat$/.test((message as { type: string }).type);
  const isAnswer = (reply: (typeof client.received)[number]) =>
    isTerminal(reply) || (reply.type === "error" && reply.in_reply_to !== undefined);
  const isOver = () => {
    const replies = client.received.slice(from);
    const synced = replies.some((reply) => reply.type === "pong" && reply.id === name);
    return synced && (!isAsk || replies.some(isAnswer));
  };
  while (!isOver()) await client.next();
  const replies = client.received.slice(from).filter((reply) => reply.type !== "pong" || reply.id !== name);
  return replies.map((reply) => JSON.stringify(reply)).join("\n");
}

async function socketCells(tenants: TwoTenants): Promise<number> {
  const pairs = places().flatMap((place) => Object.entries(tenants.ids).map((id) => [place, ...id] as const));
  const counts = await Promise.all(
    pairs.map(([place, kind, id], number) => cellsOf(tenants, { place, kind, id, number })),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Each cell gets its own owner, because a request by an intruder under an id makes that id the intruder's. */
async function cellsOf(
  tenants: TwoTenants,
  { place, kind, id, number }: { place: Place; kind: string; id: string; number: number },
): Promise<number> {
  const [key, controlKey] = [
    await tenants.makeKey(`bob-${number}`),
    await tenants.makeKey(`carol-${number}`),
  ];
  const intruder = await tenants.server.connect(bearer(key.key));
  const control = await tenants.server.connect(bearer(controlKey.key));
  const absent = spellings(neverWas(id));
  let cells = 0;
  for (const [spelling, spelt] of spellings(id)) {
    const name = describe(place, kind, spelling);
    const other = absent.get(spelling) ?? "";
    const got = await exchange(intruder, messageWith(place, spelt), `sync-${cells}`);
    const wanted = await exchange(control, messageWith(place, other), `sync-${cells}`);
    assert.equal(masked(got, spelt), masked(wanted, other), name);
    assertNothingOf(tenants, got, spelt, name);
    cells += 1;
  }
  intruder.terminate();
  control.terminate();
  return cells;
}

function describe({ type, path }: Place, kind: string, spelling: string): string {
  return `${type} with ${kind} in ${path.join(".")}, ${spelling}`;
}

async function routeCells(tenants: TwoTenants): Promise<number> {
  const [intruder, control] = [await tenants.makeKey("dan"), await tenants.makeKey("eve")];
  const callWith = async (route: string, id: string, key: string) => {
    const [method = "", address = ""] = route.split(" ");
    const { path, body } = routeCalls[route]?.(id) ?? { path: address };
    const response = await tenants.call(method, path, { key, ...(body === undefined ? {} : { body }) });
    const headers = [...response.headers].filter(([name]) => name !== "date" && name !== "content-length");
    return `${response.status} ${JSON.stringify(headers)}\n${await response.text()}`;
  };
  const pairs = Object.keys(routeCalls).flatMap((route) =>
    Object.entries(tenants.ids).map((id) => [route, ...id] as const),
  );
  const counts = await Promise.all(
    pairs.map(async ([route, kind, id]) => {
      let cells = 0;
      const absent = spellings(neverWas(id));
      for (const [spelling, spelt] of spellings(id)) {
        const name = `${route} with ${kind}, ${spelling}`;
        const other = absent.get(spelling) ?? "";
        const got = await callWith(route, spelt, intruder.key);
        const wanted = await callWith(route, other, control.key);
        assert.equal(masked(got, spelt), masked(wanted, other), name);
        assertNothingOf(tenants, got, spelt, name);
        cells += 1;
      }
      return cells;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Checks that a reply has none of her text, and none of her ids except the one asked about. */
function assertNothingOf({ ids }: TwoTenants, reply: string, asked: string, name: string): void {
  const rest = reply.replaceAll(JSON.stringify(asked).slice(1, -1), "");
  assert.ok(!rest.includes(canary), `${name}: her text`);
  for (const id of Object.values(ids)) assert.ok(!rest.includes(id) || asked.includes(id), `${name}: ${id}`);
}

test("every message type and every route has its place in the matrix", () => {
  assert.deepEqual(Object.keys(plainData).sort(), [...clientMessageTypes].sort());
  // These parts are not used before a request arrives.
  const app = createHttpApp({
    page: { html: "", policy: "" },
    callers: { admission: "keys" },
  } as HttpAppOptions);
  const routes = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`);
  // Probes and a plain request for the socket are answered before the app is called.
  const before = ["/ws", ...Object.values(probePaths)].map((path) => `GET ${path}`);
  assert.deepEqual([...new Set([...routes, ...before])].sort(), Object.keys(routeCalls).sort());
});

for (const store of ["memory", "sqlite"] as const) {
  test(`every question about another's data, in any spelling, is answered as if it did not exist, kept in ${store}`, async (t) => {
    await using tenants = await startTwoTenants(store);
    const onSocket = await socketCells(tenants);
    const overHttp = await routeCells(tenants);
    t.diagnostic(`${onSocket} cells on the socket, ${overHttp} over HTTP, 0 leaks`);
    const seen = await tenants.finish();
    const terminal = seen.at(-1);
    assert.ok(terminal?.type === "response" && terminal.status === "completed");
    assert.equal(textOf(seen), tenants.expected);
    const hers = tenants.upstream.requests.filter(({ body }) => JSON.stringify(body).includes(canary));
    assert.equal(hers.length, 3);
  });
}
