import type { Attack } from "../attack.ts";
import { describeEnds, holdOn, openAttacker, questionOf } from "../attack-clients.ts";

const requests = 29;
const personaIds = [
  ...["teacher", "skeptic", "historian", "creative_writer"],
  ...["data_scientist", "security_engineer", "product_manager", "tech_enthusiast"],
];

export const crowdedQuestions: Attack = {
  name: `${requests} unanswered questions of 1 MB to ${personaIds.length} personas each`,
  before: "ended the process at a heap of 512 MB, and at this one after pauses of 721 ms",
  limit: "`TROUPE_MAX_REQUEST_BYTES_PER_OWNER`; a text is held once for all lanes",
  maxGrowthMiB: 256,
  async attack({ url, key }) {
    const client = await openAttacker(url, { key });
    const data = { message: questionOf("silent"), persona_ids: personaIds, conversation_id: "new" };
    for (let sent = 0; sent < requests && !client.isClosed; sent += 1)
      await client.send({ type: "multi_chat", id: `crowd-${sent}`, data });
    const pong = client.next("pong");
    await client.send({ type: "ping" });
    await pong;
    await holdOn(2_000);
    const ends = describeEnds(client);
    client.close();
    return ends;
  },
};
