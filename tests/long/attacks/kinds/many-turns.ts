import { type Attack, scaled, type Target } from "../attack.ts";
import { bearer, openAttacker } from "../attack-clients.ts";

const sockets = 12;
const turns = scaled(6_000);

/** Asks again and again in one conversation, and returns its id. */
async function fillByAsking({ url, key }: Target, name: string): Promise<string> {
  const client = await openAttacker(url, { key });
  let conversation = "new";
  for (let asked = 0; asked < turns / sockets && !client.isClosed; asked += 1) {
    const answered = client.next("response");
    const data = { message: "answer: brief", persona_id: "teacher", conversation_id: conversation };
    await client.send({ type: "chat", id: `${name}-${asked}`, data: { ...data, pacing: { mode: "raw" } } });
    const { data: said } = (await answered) as unknown as { data: { conversation_id: string } };
    conversation = said.conversation_id;
  }
  client.close();
  return conversation;
}

export const manyTurns: Attack = {
  name: `deleting ${sockets} conversations among ${turns} short turns`,
  before: "one deletion among 6,000 stopped every answer for 20 s, these among 1,500 for 2.1 s",
  limit: "commits of 256 KB, the journal first; no step is slower than n log n",
  maxGrowthMiB: 128,
  async attack(target) {
    const names = Array.from({ length: sockets }, (_, number) => `s${number}`);
    const ids = await Promise.all(names.map((name) => fillByAsking(target, name)));
    const statuses = await Promise.all(
      ids.map(async (id) => {
        const address = `${target.httpUrl}/api/conversations/${id}`;
        return (await fetch(address, { method: "DELETE", headers: bearer(target.key) })).status;
      }),
    );
    return `answered with ${[...new Set(statuses)].join(", ")}`;
  },
};
