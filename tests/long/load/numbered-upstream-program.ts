import { createCountingUpstream } from "../../crash/counting-upstream.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { breakOf } from "../../crash/upstream-faults.ts";
import { answerParent } from "./child-program.ts";

const [seed = "", minDelayMs = "", maxDelayMs = ""] = process.argv.slice(2);
const random = createSeededRandom(Number(seed));

const upstream = await createCountingUpstream({
  delayMs: () => random.whole(Number(minDelayMs), Number(maxDelayMs)),
  breakOf,
});

const answers = {
  baseUrl: () => upstream.baseUrl,
  traffic: () => ({
    calls: upstream.calls,
    repeatedCalls: upstream.repeatedCalls,
    openConnections: upstream.openConnections(),
  }),
  hangUp: () => upstream.hangUp(),
};
export type NumberedUpstreamAnswers = typeof answers;

answerParent(answers);
