import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textMessage } from "../../../src/ports/item.ts";
import type { PeerAudience } from "../../../src/ports/peers.ts";
import type { TurnRequest } from "../../../src/ports/turn-request.ts";
import { terminal, textOf } from "../../ports/log-reading.ts";
import { openCluster } from "./open-cluster.ts";

const record = { owner: "owner", id: "id", contentHash: "hash", conversationId: "c" };
const request: TurnRequest = {
  kind: "persona",
  input: [textMessage("user", "Who is there?")],
  personaIds: ["ada"],
  api: "openai",
  pacing: { mode: "raw", chunkChars: 1, intervalMs: 0, maxLagMs: 0 },
};

/** A process with the turns that began elsewhere, and the number of processes that follow its own. */
async function join(cluster: Awaited<ReturnType<typeof openCluster>>) {
  const { logs, peers } = await cluster.join().open();
  assert.ok(peers !== undefined);
  const began: string[] = [];
  let watches = 0;
  const audience: PeerAudience = {
    cancel: () => false,
    endIn: async () => undefined,
    began: (turn) => began.push(turn.record.id),
    left: () => undefined,
    watch() {
      watches += 1;
      return () => {
        watches -= 1;
      };
    },
  };
  peers.join(audience);
  return {
    logs,
    peers,
    began,
    get watches() {
      return watches;
    },
    /** Settles when everything that it said before was heard; the conversation's turns elsewhere. */
    running: async () =>
      (await peers.runningIn("owner", "c")).map(({ record: { id }, log }) => [id, log.headSeq]),
  };
}

async function setUp() {
  const faults: unknown[] = [];
  const cluster = await openCluster({ onFault: (fault) => faults.push(fault) });
  const [runner, follower, third] = [await join(cluster), await join(cluster), await join(cluster)];
  const created = await runner.logs.create(record);
  assert.ok(created.type === "created");
  const { log } = created;
  await log.append([textOf("a")]);
  third.peers.subscribe("owner", "c");
  await third.running();
  const dispose = cluster[Symbol.asyncDispose];
  return { runner, follower, third, log, faults, [Symbol.asyncDispose]: dispose };
}

describe("a process that runs a turn", () => {
  it("counts a process that follows it once, from its first follower to its last", async () => {
    await using at = await setUp();
    const { runner, follower, log } = at;
    runner.peers.announce({ record, log, request });
    await runner.running();
    const heard = async () => {
      await follower.running();
      await runner.running();
      return runner.watches;
    };
    const leave = [follower.peers.watch("owner", "id")];
    assert.equal(await heard(), 1);
    leave.push(follower.peers.watch("owner", "id"));
    assert.equal(await heard(), 1);
    leave[0]?.();
    assert.equal(await heard(), 1);
    leave[1]?.();
    assert.equal(await heard(), 0);
    assert.deepEqual(at.faults, []);
  });

  it("hears of a process that followed the turn before it was announced", async () => {
    await using at = await setUp();
    const { runner, follower, log } = at;
    const leave = follower.peers.watch("owner", "id");
    await follower.running();
    await runner.running();
    assert.equal(runner.watches, 0);
    runner.peers.announce({ record, log, request });
    await runner.running();
    assert.equal(runner.watches, 1);
    leave();
    await follower.running();
    await runner.running();
    assert.equal(runner.watches, 0);
  });
});

describe("a turn that a process announces", () => {
  it("is told to the processes that subscribed, and to no other", async () => {
    await using at = await setUp();
    at.runner.peers.announce({ record, log: at.log, request });
    await at.runner.running();
    assert.deepEqual([await at.third.running(), at.third.began], [[["id", 1]], ["id"]]);
    assert.deepEqual([await at.follower.running(), at.follower.began], [[["id", 1]], []]);
    assert.deepEqual([await at.runner.running(), at.runner.began], [[], []]);
  });

  it("is told to nobody if it has ended", async () => {
    await using at = await setUp();
    await at.log.append([terminal]);
    at.runner.peers.announce({ record, log: at.log, request });
    await at.runner.running();
    assert.deepEqual([await at.third.running(), at.third.began, at.faults], [[], [], []]);
  });

  it("is told to nobody if it runs in another process", async () => {
    await using at = await setUp();
    at.follower.peers.announce({ record, log: at.log, request });
    await at.follower.running();
    assert.deepEqual([await at.third.running(), at.third.began, at.faults], [[], [], []]);
  });
});
