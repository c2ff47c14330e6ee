import type { Attack } from "../attack.ts";
import { describeEnds, holdOn, openAttacker, questionOf } from "../attack-clients.ts";

const sockets = 3;
const frames = 128;

export const waitingFrames: Attack = {
  name: `${frames} unnamed requests of 1 MB waiting on each of ${sockets} sockets`,
  before: "+647 MB; ended the process at this heap, after pauses of 466 ms",
  limit:
    "`TROUPE_MAX_REQUEST_BYTES_PER_CONNECTION`, `TROUPE_MAX_REQUEST_BYTES_PER_OWNER`, `TROUPE_MAX_REQUEST_BYTES`",
  maxGrowthMiB: 192,
  async attack({ url, key }) {
    const clients = await Promise.all(Array.from({ length: sockets }, () => openAttacker(url, { key })));
    const message = JSON.stringify({ type: "openai_chat", data: { input_text: questionOf("silent") } });
    await Promise.all(
      clients.map(async (client) => {
        for (let sent = 0; sent < frames && !client.isClosed; sent += 1) await client.send(message);
        const pong = client.next("pong");
        await client.send({ type: "ping" });
        await pong;
      }),
    );
    await holdOn(1_000);
    const ends = describeEnds(...clients);
    for (const client of clients) client.close();
    return ends;
  },
};
