import { randomUUID } from "node:crypto";
import { type Attack, scaled } from "../attack.ts";
import { type Attacker, describeEnds, openAttacker } from "../attack-clients.ts";

const sockets = scaled(1_000);
const perAddress = 20;

export const newSecrets: Attack = {
  name: `${sockets} sockets with a new anonymous secret each, and a request of 1 MB on each`,
  before: "escaped every limit of a key",
  limit: "`TROUPE_MAX_CONNECTIONS_PER_ADDRESS`, `TROUPE_MAX_REQUESTS_PER_ADDRESS`",
  environment: {
    TROUPE_API_KEYS: "",
    TROUPE_ALLOW_ANONYMOUS: "true",
    TROUPE_MAX_CONNECTIONS_PER_ADDRESS: String(perAddress),
    TROUPE_MAX_REQUESTS_PER_ADDRESS: "5",
  },
  maxGrowthMiB: 128,
  async attack({ url }) {
    const text = "x".repeat(900_000);
    const open: Attacker[] = [];
    let refused = 0;
    for (let opened = 0; opened < sockets; opened += 1) {
      const client = await openAttacker(url, { key: randomUUID() }).catch(() => undefined);
      if (client === undefined) {
        refused += 1;
        continue;
      }
      open.push(client);
      await client.send({ type: "openai_chat", data: { input_text: `answer: silent ${text}` } });
    }
    const ends = describeEnds(...open);
    for (const client of open) client.close();
    return `${refused} refused; of the others' requests ${ends}`;
  },
};
