import { once } from "node:events";
import { WebSocket } from "ws";
import { type Attack, isLong } from "../attack.ts";
import { bearer, holdOn } from "../attack-clients.ts";

const sockets = 50;
/** One ping longer than the limit. The short form only measures memory and pauses. */
const heldMs = isLong ? 75_000 : 5_000;

export const unfinishedMessages: Attack = {
  name: `${sockets} messages of 900 KB that never end, with pings answered`,
  before: "never closed",
  limit: "`messageMs`: closed with 1008 after 60 s; `messageBytes`",
  maxGrowthMiB: 128,
  async attack({ url, key }) {
    const codes: number[] = [];
    const clients = await Promise.all(
      Array.from({ length: sockets }, async () => {
        const client = new WebSocket(url, { perMessageDeflate: false, headers: bearer(key) });
        client.on("error", () => undefined);
        client.on("close", (code) => codes.push(code));
        await once(client, "open");
        client.send("x".repeat(900_000), { fin: false });
        return client;
      }),
    );
    await holdOn(heldMs);
    const ends =
      codes.length === 0
        ? `held for ${heldMs / 1_000} s`
        : `${codes.length} closed with ${[...new Set(codes)]}`;
    for (const client of clients) client.terminate();
    return ends;
  },
};
