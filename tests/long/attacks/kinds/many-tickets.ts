import { type Attack, scaled, type Target } from "../attack.ts";
import { bearer, openAttacker } from "../attack-clients.ts";

const tickets = scaled(10_000);
const atOnce = 20;

async function takeTicket({ httpUrl }: Target, key: string): Promise<string> {
  const answer = await fetch(`${httpUrl}/api/tickets`, { method: "POST", headers: bearer(key) });
  return ((await answer.json()) as { ticket: string }).ticket;
}

export const manyTickets: Attack = {
  name: `${tickets} tickets of one caller`,
  before: "10,000 evicted the tickets of all other callers",
  limit: "100 tickets of one caller",
  maxGrowthMiB: 64,
  async attack(target) {
    const others = await takeTicket(target, target.otherKey);
    for (let taken = 0; taken < tickets; taken += atOnce)
      await Promise.all(Array.from({ length: atOnce }, () => takeTicket(target, target.key)));
    const client = await openAttacker(`${target.url}?ticket=${others}`);
    client.close();
    return "another caller's ticket is good";
  },
};
