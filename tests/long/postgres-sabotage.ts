import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { type FaultStage, openFaultStage, type Sabotage } from "./postgres/fault-stage.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import {
  answerOfACommitIsLost,
  beatsDoNotArrive,
  lastBeatIsUnderWay,
  ownerStandsStill,
  twoTakersAtOnce,
} from "./postgres/situations.ts";

interface Situation {
  readonly name: string;
  readonly play: (stage: FaultStage) => Promise<void>;
  /** The nodes without each of these guards do something wrong in it. */
  readonly sabotages: readonly Sabotage[];
}

/**
 * Each guard of the nodes, and the situation that it is for. A message to other nodes before the commit does no harm by itself. It is a hint:
 * its receivers read the rows, again after 250 ms. The guard is that no follower, here or elsewhere, is shown events before their commit.
 */
const situations: readonly Situation[] = [
  { name: "an owner stands still and goes on", play: ownerStandsStill, sabotages: ["no fence"] },
  {
    name: "the answer of a commit is lost",
    play: answerOfACommitIsLost,
    sabotages: ["no second try", "no count"],
  },
  { name: "two nodes claim a turn at once", play: twoTakersAtOnce, sabotages: ["a claim by not exists"] },
  {
    name: "a takeover meets the last beat",
    play: lastBeatIsUnderWay,
    sabotages: ["a takeover in one statement"],
  },
  { name: "beats do not arrive", play: beatsDoNotArrive, sabotages: ["told before the commit"] },
];

// A situation is mostly waiting.
describe("three nodes on one PostgreSQL, when", { ...withPostgres, concurrency: 2 }, () => {
  after(stopShared);

  for (const { name, play, sabotages } of situations) {
    const judge = async (sabotage?: Sabotage) => {
      await using stage = await openFaultStage(sabotage);
      await play(stage);
      return await stage.judge();
    };

    it(`${name}: nothing is wrong`, async () => {
      const findings = await judge();
      assert.deepEqual(findings.examples, []);
    });

    for (const sabotage of sabotages)
      it(`${name}: ${sabotage} is noticed`, async () => {
        assert.notEqual((await judge(sabotage)).total, 0);
      });
  }
});
