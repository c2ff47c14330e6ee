import { answeredAnew, modelAsk } from "../../crash/any-ask.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { type FaultStage, shownSinceReset, until } from "./fault-stage.ts";

/** A question that is answered again at another node. Its answer takes seconds. */
function question(id: string) {
  return answeredAnew(modelAsk(id, createSeededRandom(1)));
}

/** The owner of a running turn stands still until another node has shown more of it. Then it goes on, with a client of its own. */
export async function ownerStandsStill(stage: FaultStage): Promise<void> {
  const [owner, other] = stage.nodes;
  const { record } = stage.ask(owner, question("still"));
  await until(() => shownSinceReset(record) > 2);
  process.kill(owner.process.pid, "SIGSTOP");
  const elsewhere = stage.follow(other, record);
  await until(() => elsewhere.hasReset && shownSinceReset(record) > 2);
  process.kill(owner.process.pid, "SIGCONT");
}

/** The database commits a beat of a running turn, and its answer is lost on the way. */
export async function answerOfACommitIsLost(stage: FaultStage): Promise<void> {
  const [owner] = stage.nodes;
  const { record } = stage.ask(owner, question("lost"));
  await until(() => shownSinceReset(record) > 2);
  owner.proxy.swallow();
  const before = await stage.storedEvents();
  await until(async () => (await stage.storedEvents()) > before);
  owner.proxy.cut();
}
