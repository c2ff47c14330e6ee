import { type Attack, scaled } from "../attack.ts";
import { bearer, openAttacker } from "../attack-clients.ts";

const attempts = scaled(8_000);
const atOnce = 20;

export const wrongKeys: Attack = {
  name: `${attempts} wrong keys from the address of another caller`,
  before: "20 locked out everybody at that address",
  limit: "20 wrong keys from an address in a window, then 429; a right key is never refused",
  maxGrowthMiB: 64,
  async attack({ url, httpUrl, key }) {
    const counts = new Map<number, number>();
    const attempt = async (number: number) => {
      const headers = bearer(`wrong-key-of-nobody-${number}`);
      const { status } = await fetch(`${httpUrl}/api/conversations`, { headers });
      counts.set(status, (counts.get(status) ?? 0) + 1);
    };
    for (let made = 0; made < attempts; made += atOnce)
      await Promise.all(Array.from({ length: atOnce }, (_, number) => attempt(made + number)));
    (await openAttacker(url, { key })).close();
    const statuses = [...counts].map(([status, count]) => `${count} answered with ${status}`);
    return `${statuses.join(", ")}; the right key is served`;
  },
};
