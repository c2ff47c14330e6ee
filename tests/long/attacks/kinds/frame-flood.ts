import { type Attack, scaled } from "../attack.ts";
import { describeEnds, openAttacker } from "../attack-clients.ts";

const sockets = 4;
const frames = scaled(80_000);

/** Small messages, each of which is answered or refused. */
const messages = [
  JSON.stringify({ type: "ping" }),
  JSON.stringify({ type: "cancel", data: { request_id: "of-nobody" } }),
  JSON.stringify({ type: "resume", data: { request_id: "of-nobody", after_seq: 0 } }),
  JSON.stringify({ type: "follow", data: { conversation_id: "of-nobody" } }),
];

export const frameFlood: Attack = {
  name: `${frames} valid frames on each of ${sockets} sockets, as fast as possible`,
  before: "not measured before the limit",
  limit: "`messagesAtOnce`, `messagesPerSecond`: closed with 1008; the outbox of a socket",
  maxGrowthMiB: 128,
  async attack({ url, key }) {
    const clients = await Promise.all(Array.from({ length: sockets }, () => openAttacker(url, { key })));
    await Promise.all(
      clients.map(async (client, number) => {
        const message = messages[number % messages.length] ?? "";
        for (let sent = 0; sent < frames && !client.isClosed; sent += 100)
          await Promise.all(Array.from({ length: 100 }, () => client.send(message)));
        const pong = client.next("pong");
        await client.send({ type: "ping" });
        await pong;
      }),
    );
    const ends = describeEnds(...clients);
    for (const client of clients) client.close();
    return ends;
  },
};
