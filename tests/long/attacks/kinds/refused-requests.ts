import { type Attack, scaled } from "../attack.ts";
import { describeEnds, openAttacker, questionOf } from "../attack-clients.ts";

const requests = scaled(2_500);

export const refusedRequests: Attack = {
  name: `${requests} requests of 1 MB that the provider refuses`,
  before: "2,115 ended the process at the default heap, 236 at this one",
  limit: "an error that is kept has no stack and no cause; `TROUPE_LOG_BYTES`",
  maxGrowthMiB: 192,
  async attack({ url, key }) {
    const client = await openAttacker(url, { key });
    const input_text = questionOf("refusal");
    for (let sent = 0; sent < requests && !client.isClosed; sent += 1) {
      await client.send({ type: "openai_chat", id: `refused-${sent}`, data: { input_text } });
      await client.ended(sent + 1);
    }
    return describeEnds(client);
  },
};
