import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryTickets } from "../../../src/adapters/memory/memory-tickets.ts";
import type { Caller } from "../../../src/ports/caller.ts";
import { describeTickets } from "../../ports/tickets-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

describeTickets("memory", async () => {
  const clock = createTestClock();
  const tickets = createMemoryTickets({ clock });
  return { tickets, age: clock.advance, [Symbol.asyncDispose]: async () => undefined };
});

const ada: Caller = { owner: "ada", keyId: "key-1", limits: {} };

async function issueMany(tickets: ReturnType<typeof createMemoryTickets>, callers: Iterable<Caller>) {
  const issued: string[] = [];
  for (const caller of callers) issued.push(await tickets.issue(caller));
  return issued;
}

async function good(tickets: ReturnType<typeof createMemoryTickets>, issued: readonly string[]) {
  const found: (Caller | undefined)[] = [];
  for (const ticket of issued) found.push(await tickets.redeem(ticket));
  return found.map((caller) => caller !== undefined);
}

test("a caller that asks for ever more tickets loses only its own oldest ones", async () => {
  const tickets = createMemoryTickets({ clock: createTestClock() });
  const hers = await tickets.issue(ada);
  const bob: Caller = { owner: "bob", keyId: "key-2", limits: {} };
  const his = await issueMany(tickets, Array<Caller>(12_000).fill(bob));
  const kept = await good(tickets, his);
  assert.equal(kept.filter(Boolean).length, 100);
  assert.ok(kept.slice(-100).every(Boolean));
  assert.deepEqual(await tickets.redeem(hers), ada);
});

test("callers without keys from one address share its tickets, even with different secrets", async () => {
  const tickets = createMemoryTickets({ clock: createTestClock() });
  const from = (address: string, secret: number): Caller => ({
    ...{ owner: `anonymous:${secret}`, keyId: `anonymous:${secret}`, limits: {} },
    groups: [{ id: `address ${address}`, name: "This address", limits: {} }],
  });
  const other = await tickets.issue(from("203.0.113.9", 0));
  const many = Array.from({ length: 12_000 }, (_, index) => from("203.0.113.7", index));
  const kept = await good(tickets, await issueMany(tickets, many));
  assert.equal(kept.filter(Boolean).length, 100);
  assert.ok((await tickets.redeem(other)) !== undefined);
});

test("of more tickets than there may be in all the oldest go", async () => {
  const tickets = createMemoryTickets({ clock: createTestClock() });
  const callers = Array.from({ length: 10_001 }, (_, index): Caller => {
    return { owner: "many", keyId: `key-${index}`, limits: {} };
  });
  const kept = await good(tickets, await issueMany(tickets, callers));
  assert.deepEqual([kept[0], kept[1], kept.filter(Boolean).length], [false, true, 10_000]);
});

test("a ticket that was used or has run out makes room", async () => {
  const clock = createTestClock();
  const tickets = createMemoryTickets({ clock });
  const first = await issueMany(tickets, Array<Caller>(100).fill(ada));
  assert.ok((await good(tickets, first.slice(0, 50))).every(Boolean));
  const second = await issueMany(tickets, Array<Caller>(50).fill(ada));
  assert.ok((await good(tickets, [...first.slice(50), ...second])).every(Boolean));
  const late = await tickets.issue(ada);
  await clock.advance(30_001);
  assert.equal(await tickets.redeem(late), undefined);
});
