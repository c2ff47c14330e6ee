import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Caller } from "../../src/ports/caller.ts";
import { type Tickets, ticketLifeMs } from "../../src/ports/tickets.ts";

/** New tickets, and a way to make the issued ones older. */
export interface TicketsUnderTest extends AsyncDisposable {
  readonly tickets: Tickets;
  age(ms: number): Promise<unknown>;
}

const ada: Caller = { owner: "ada", keyId: "key-1", limits: { connections: 2 } };
const visitor = (secret: number, address = "203.0.113.7"): Caller => ({
  ...{ owner: `anonymous:${secret}`, keyId: `anonymous:${secret}`, limits: {} },
  groups: [{ id: `address ${address}`, name: "This address", limits: { connections: 1 } }],
});

/** The contract of `Tickets`, for every adapter to run. */
export function describeTickets(name: string, create: () => Promise<TicketsUnderTest>): void {
  describe(`${name} as the store of tickets`, () => {
    it("gives a ticket's caller back once", async () => {
      await using under = await create();
      const { tickets } = under;
      const [hers, his] = [await tickets.issue(ada), await tickets.issue(visitor(1))];
      assert.deepEqual(await tickets.redeem(his), visitor(1));
      assert.deepEqual(await tickets.redeem(hers), ada);
      for (const ticket of [hers, his, "", "never-was"])
        assert.equal(await tickets.redeem(ticket), undefined);
    });

    it("gives it to one of many that redeem it at the same moment", async () => {
      await using under = await create();
      const ticket = await under.tickets.issue(ada);
      const found = await Promise.all(Array.from({ length: 20 }, () => under.tickets.redeem(ticket)));
      assert.deepEqual(found.filter(Boolean), [ada]);
    });

    it("lets a ticket run out", async () => {
      await using under = await create();
      const { tickets } = under;
      const [early, late] = [await tickets.issue(ada), await tickets.issue(ada)];
      await under.age(ticketLifeMs - 10_000);
      assert.deepEqual(await tickets.redeem(early), ada);
      await under.age(10_001);
      assert.equal(await tickets.redeem(late), undefined);
    });

    it("keeps the newest 100 unused tickets of a caller, or of an address", async () => {
      await using under = await create();
      const { tickets } = under;
      const others = [await tickets.issue(ada), await tickets.issue(visitor(0, "203.0.113.9"))];
      const issued: string[] = [];
      for (let secret = 0; secret < 105; secret += 1) issued.push(await tickets.issue(visitor(secret)));
      const found: boolean[] = [];
      for (const ticket of [...others, ...issued]) found.push((await tickets.redeem(ticket)) !== undefined);
      assert.deepEqual(found, [true, true, ...Array(5).fill(false), ...Array(100).fill(true)]);
    });
  });
}
