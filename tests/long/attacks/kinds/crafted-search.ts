import type { Attack } from "../attack.ts";
import { bearer } from "../attack-clients.ts";
import { fillConversation } from "../fill-conversation.ts";

const messages = 100;
const searches = 3;
/** No message contains the first query, and all contain the second. All contain the words of the third, but not in a row. */
const queries = ["needle", "xneedle", "xneedle-xneedle-needle"];

/** A letter with two marks in the wrong order, which must be reordered before it can be compared. */
const crafted = "xneedle\u0301\u0323 ".repeat(20_000);

export const craftedSearch: Attack = {
  name: `${searches} searches over ${messages} crafted messages at the same time`,
  before: "one stopped every answer for 8 to 10 s",
  limit: "slices of 8 ms, 2 s for a search; a second database connection for reads",
  maxGrowthMiB: 96,
  fill: (database) =>
    fillConversation(database, { id: "crafted", messages: Array<string>(messages).fill(crafted) }),
  async attack({ httpUrl, key }) {
    const statuses = await Promise.all(
      Array.from({ length: searches }, async (_, number) => {
        const query = queries[number % queries.length] ?? "";
        const address = `${httpUrl}/api/conversations?q=${encodeURIComponent(query)}`;
        const answer = await fetch(address, { headers: bearer(key) });
        await answer.arrayBuffer();
        return answer.status;
      }),
    );
    return `answered with ${statuses.join(", ")}`;
  },
};
