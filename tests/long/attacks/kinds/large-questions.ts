import type { Attack } from "../attack.ts";
import { describeEnds, openAttacker, questionOf } from "../attack-clients.ts";

const questions = 60;

export const largeQuestions: Attack = {
  name: `${questions} questions of 1 MB at once`,
  before: "stopped every answer for 5 s",
  limit: "commits of 256 KB, callers in turn; `TROUPE_MAX_REQUEST_BYTES_PER_CONNECTION`",
  maxGrowthMiB: 192,
  async attack({ url, key }) {
    const client = await openAttacker(url, { key });
    const data = { message: questionOf("brief"), persona_id: "teacher", conversation_id: "new" };
    await Promise.all(
      Array.from({ length: questions }, (_, number) =>
        client.send({ type: "chat", id: `large-${number}`, data }),
      ),
    );
    await client.ended(questions);
    return describeEnds(client);
  },
};
