import type { Attack, Target } from "../attack.ts";
import { describeEnds, openAttacker } from "../attack-clients.ts";

const logBytes = 16 * 1024 ** 2;

function payloadFlood(kind: "tools" | "reasoning", what: string, before: string): Attack {
  return {
    name: `a provider that sends 200 MB of ${what}`,
    before,
    limit: "16,000,000 characters of an answer; `TROUPE_LOG_BYTES`",
    environment: { TROUPE_LOG_BYTES: String(logBytes) },
    maxGrowthMiB: 192,
    async attack({ url, key }: Target) {
      const client = await openAttacker(url, { key });
      const data = { input_text: `answer: ${kind}`, include_reasoning: true, pacing: { mode: "raw" } };
      await client.send({ type: "openai_chat", id: kind, data });
      await client.ended(1);
      return describeEnds(client);
    },
  };
}

export const toolFlood = payloadFlood("tools", "a tool's payloads", "all of it passed a limit of 16 MiB");
export const reasoningFlood = payloadFlood(
  "reasoning",
  "reasoning",
  "all of it passed a limit of 16 MiB; ended the process at this heap",
);
