import { answeredAnew, modelAsk } from "../../crash/any-ask.ts";
import { createSeededRandom } from "../../crash/seeded-random.ts";
import { type FaultStage, type StagedReader, shownSinceReset, until, waiting } from "./fault-stage.ts";

/** Asks the first node a question that another node would answer again, and waits for a part of the answer, which takes seconds. */
async function askOwner(stage: FaultStage): Promise<StagedReader> {
  const asked = stage.ask(stage.nodes[0], answeredAnew(modelAsk("asked", createSeededRandom(1))));
  await until(() => shownSinceReset(asked.record) > 2);
  return asked;
}

/** The owner of a running turn stands still until another node has shown more of it. Then it goes on, with a client of its own. */
export async function ownerStandsStill(stage: FaultStage): Promise<void> {
  const [owner, other] = stage.nodes;
  const { record } = await askOwner(stage);
  process.kill(owner.process.pid, "SIGSTOP");
  const elsewhere = stage.follow(other, record);
  await until(() => elsewhere.hasReset && shownSinceReset(record) > 2);
  process.kill(owner.process.pid, "SIGCONT");
}

/** The database commits a beat of a running turn, and its answer is lost on the way. */
export async function answerOfACommitIsLost(stage: FaultStage): Promise<void> {
  const [owner] = stage.nodes;
  await askOwner(stage);
  const beats = await stage.holdUp("AFTER INSERT ON events FOR EACH ROW");
  await until(async () => (await waiting(stage, "fence AS (UPDATE fences")) > 0);
  const before = await stage.storedEvents();
  owner.proxy.swallow();
  await beats.release();
  await until(async () => (await stage.storedEvents()) > before);
  owner.proxy.cut();
}

/** The owner dies, and two nodes take over and claim its turn at the same moment. */
export async function twoTakersAtOnce(stage: FaultStage): Promise<void> {
  const [owner, other] = stage.nodes;
  const asked = await askOwner(stage);
  const takeovers = await stage.holdUp("BEFORE DELETE ON fences FOR EACH ROW");
  const claims = await stage.holdUp("BEFORE UPDATE ON turns FOR EACH ROW WHEN (NEW.node <> OLD.node)");
  asked.moveTo(other);
  await stage.kill(owner);
  // Each gives up after a second, and tries again.
  await until(async () => (await waiting(stage, "DELETE FROM fences")) === 2);
  await takeovers.release();
  // A claim that skips the other one's turn does not wait.
  await until(
    async () => (await waiting(stage, "UPDATE turns SET node")) >= (stage.sabotage === undefined ? 1 : 2),
  );
  await claims.release();
}

/** The owner dies while a beat of its turn is under way, which is committed while another node takes over. */
export async function lastBeatIsUnderWay(stage: FaultStage): Promise<void> {
  const [owner, other] = stage.nodes;
  const asked = await askOwner(stage);
  const beats = await stage.holdUp("AFTER INSERT ON events FOR EACH ROW");
  await until(async () => (await waiting(stage, "fence AS (UPDATE fences")) > 0);
  asked.moveTo(other);
  await stage.kill(owner);
  await until(async () => (await waiting(stage, "DELETE FROM fences")) > 0);
  await beats.release();
}

/** The owner's beats are on their way to the database when it dies, and do not arrive. */
export async function beatsDoNotArrive(stage: FaultStage): Promise<void> {
  const [owner, other] = stage.nodes;
  const asked = await askOwner(stage);
  const before = shownSinceReset(asked.record);
  await owner.proxy.hold();
  if (stage.sabotage !== undefined) await until(() => shownSinceReset(asked.record) > before + 5);
  asked.moveTo(other);
  await stage.kill(owner);
  stage.follow(other, asked.record);
}
