import assert from "node:assert/strict";
import { test } from "node:test";
import { bearer } from "../support/key-system.ts";
import { connect } from "../support/wire-client.ts";
import { spellings } from "./spellings.ts";
import { canary, startTwoTenants } from "./two-tenants.ts";

const minuteMs = 60_001;

test("a ticket opens one socket of the caller that it was given to, and in no other spelling any", async () => {
  await using tenants = await startTwoTenants("memory");
  const { server, call, ada, ids, clock } = tenants;
  const bob = await tenants.makeKey("bob");
  const ticketOf = async (key: string): Promise<string> =>
    ((await (await call("POST", "/api/tickets", { key })).json()) as { ticket: string }).ticket;
  /** The status of the handshake, or the type of the answer to the ticket's caller about her request. */
  async function open(ticket: string, options = {}) {
    const client = await connect(`${server.url}?ticket=${encodeURIComponent(ticket)}`, options).catch(String);
    if (typeof client === "string") return /\d{3}/.exec(client)?.[0];
    client.send({ type: "resume", data: { request_id: ids["a request that has ended"], after_seq: 0 } });
    const { type } = await client.next();
    client.terminate();
    if (type === "error") assert.ok(!JSON.stringify(client.received).includes(canary));
    return type;
  }
  const hers = await ticketOf(ada.key);
  let tries = 0;
  for (const [spelling, spelt] of spellings(hers)) {
    if (spelt === hers) continue;
    assert.equal(await open(spelt), await open(`${crypto.randomUUID()}`), spelling);
    tries += 2;
    // Too many wrong tickets from one address would be refused for another reason.
    if (tries % 10 === 0) await clock.advance(minuteMs / 2.5);
  }
  const fresh = await ticketOf(ada.key);
  assert.deepEqual([await open(fresh), await open(fresh)], ["resumed", "401"]);
  // His ticket is his, and a key sent with it takes precedence.
  assert.equal(await open(await ticketOf(bob.key)), "error");
  assert.equal(await open(await ticketOf(ada.key), bearer(bob.key)), "error");
});

test("a ticket is useless in places where it could be taken for something else, and names no user", async () => {
  await using tenants = await startTwoTenants("memory");
  const { call, ada, clock } = tenants;
  const { ticket } = (await (await call("POST", "/api/tickets", { key: ada.key })).json()) as {
    ticket: string;
  };
  for (const value of Object.values(tenants.ids)) assert.ok(!ticket.includes(value));
  const wrong = await call("GET", "/api/conversations", { key: "x".repeat(ticket.length) });
  const shown = await call("GET", "/api/conversations", { key: ticket });
  assert.deepEqual([shown.status, await shown.text()], [wrong.status, await wrong.text()]);
  assert.equal(shown.status, 401);
  await clock.advance(minuteMs);
});
