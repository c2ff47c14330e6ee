import type { Socket } from "node:net";
import { frameBytes, handshakeText } from "../../../support/raw-socket.ts";
import { type Attack, isLong } from "../attack.ts";
import { describeEnds, holdOn, openAttacker, openStalled } from "../attack-clients.ts";

const followers = 100;
const atOnce = 10;
/** The kind of answer that the upstream is asked for, and its size. */
const [kind, size] = isLong ? ["longest", "3.8 MB"] : ["long", "1.9 MB"];

export const stalledFollowers: Attack = {
  name: `${followers} followers that do not read an answer of ${size}`,
  before: "+319 MB, a pause of 464 ms",
  limit: "all followers share one copy of a frame above 64 KiB; the outbox of a socket",
  maxGrowthMiB: 128,
  async attack(target) {
    const client = await openAttacker(target.url, { key: target.key });
    await client.send({
      type: "openai_chat",
      id: "large",
      data: { input_text: `answer: ${kind}`, pacing: { mode: "raw" } },
    });
    await client.ended(1);
    const resume = { type: "resume", data: { request_id: "large", after_seq: 0 } };
    const bytes = Buffer.concat([
      Buffer.from(handshakeText([`Authorization: Bearer ${target.key}`])),
      frameBytes({ opcode: 1, payload: JSON.stringify(resume) }),
    ]);
    const sockets: Socket[] = [];
    while (sockets.length < followers)
      sockets.push(...(await Promise.all(Array.from({ length: atOnce }, () => openStalled(target, bytes)))));
    await holdOn(4_000);
    for (const socket of sockets) socket.destroy();
    return `${describeEnds(client)}, followed by ${followers}`;
  },
};
