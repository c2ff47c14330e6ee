import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { openFaultStage, type Sabotage } from "./postgres/fault-stage.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { answerOfACommitIsLost, ownerStandsStill } from "./postgres/situations.ts";

/** Each guard of the nodes, and the situation that it is for. */
const situations = [
  {
    name: "an owner that stands still is taken over and goes on",
    play: ownerStandsStill,
    guards: ["no fence"],
  },
  { name: "the answer of a commit is lost", play: answerOfACommitIsLost, guards: ["no second try"] },
] as const;

describe("three nodes on one PostgreSQL, in situations that one guard is for", withPostgres, () => {
  after(stopShared);

  for (const { name, play, guards } of situations) {
    const judge = async (sabotage?: Sabotage) => {
      await using stage = await openFaultStage(sabotage);
      await play(stage);
      return await stage.judge();
    };

    it(`${name}: nothing is wrong`, async () => {
      const findings = await judge();
      assert.deepEqual(findings.examples, []);
    });

    for (const guard of guards)
      it(`${name}: with ${guard}, that is noticed`, async () => {
        assert.notEqual((await judge(guard)).total, 0);
      });
  }
});
