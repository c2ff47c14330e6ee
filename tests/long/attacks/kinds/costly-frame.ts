import type { Attack } from "../attack.ts";
import { describeEnds, openAttacker } from "../attack-clients.ts";

const frames = 10;

export const costlyFrame: Attack = {
  name: "frames of 998 KB that are costly to decode",
  before: "one took 1.1 s and 779 MB and ended the process",
  limit: "`messageValues`, `messageDepth`, `objectMembers`, a maximum for every list",
  maxGrowthMiB: 96,
  async attack({ url, key }) {
    const client = await openAttacker(url, { key });
    const list = `[0${",0".repeat(498_900)}]`;
    for (let sent = 0; sent < frames; sent += 1) {
      await client.send(
        `{"type":"openai_chat","data":{"input_text":"x","options":{"context_management":${list}}}}`,
      );
      await client.ended(sent + 1);
    }
    return describeEnds(client);
  },
};
