import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, createChannel, type Handler } from "../../../src/adapters/cluster/rpc/channel.ts";
import { createRemotePeers } from "../../../src/adapters/cluster/worker/remote-peers.ts";
import { createRemoteTurnLogs } from "../../../src/adapters/cluster/worker/remote-turn-logs.ts";
import { TroupeError } from "../../../src/protocol/errors.ts";
import { followed, terminal, textOf } from "../../ports/log-reading.ts";
import { fullResumables } from "../../ports/stored-samples.ts";
import { created, recordOf } from "../../ports/turn-log-store-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";
import { openCluster } from "./open-cluster.ts";
import { createLinePair } from "./rpc/line-pair.ts";

const unreadable = { name: "UnreadableError" };
const place = { caller: { owner: "owner", keyId: "k", limits: {} }, heldBytes: 0 };

describe("a broken message of a process that runs turns is refused, and everything else goes on:", () => {
  const messages: readonly [what: string, port: string, method: string, values: readonly unknown[]][] = [
    ["a request that is not JSON", "logs", "create", [recordOf("owner", "new"), "{", true, place]],
    [
      "a request of another shape",
      "logs",
      "create",
      [recordOf("owner", "new"), '{"caller":{}}', true, place],
    ],
    ["steps that are not JSON", "logs", "append", [1, "["]],
    ["steps of an unknown type", "logs", "append", [1, '[{"type":"song"}]']],
    ["text that is a number", "logs", "append", [1, '[{"type":"text","text":7,"final":false}]']],
    ["values that fit no method", "logs", "append", ["one", "[]"]],
  ];
  for (const [what, port, method, values] of messages)
    it(what, async () => {
      await using cluster = await openCluster();
      const member = cluster.join();
      const { logs } = await member.open();
      const log = await created(logs, "owner", "id");
      await log.append([textOf("a")]);
      await assert.rejects(member.channel.ask(port, method, values));
      await log.append([textOf("b"), terminal]);
      const found = await (await cluster.join().open()).logs.find("owner", "id");
      assert.ok(found !== undefined);
      const follower = followed(found.log, 0);
      await follower.ended;
      assert.equal(follower.read(), "1:a 2:b 3:answer");
      assert.equal(await logs.find("owner", "new"), undefined);
    });
});

/** A process that runs turns, on the line to one that answers `logs` and `peers` like this. */
function openWorker(answers: Readonly<Record<string, unknown>>) {
  const line = createLinePair();
  const clock = createTestClock();
  const primary = createChannel({ line: line.ends[0], clock, gatherMs: 10 });
  const handler: Handler = async (method) => {
    const answer = answers[method];
    return Array.isArray(answer) && method !== "runningIn" ? answer.shift() : answer;
  };
  primary.serve("logs", handler);
  primary.serve("peers", handler);
  const channel: Channel = createChannel({ line: line.ends[1], clock, gatherMs: 10 });
  const faults: unknown[] = [];
  const onFault = (fault: unknown) => faults.push(fault);
  const logs = createRemoteTurnLogs({ channel, onFault });
  return { logs, peers: createRemotePeers({ channel, turnOf: logs.turnOf, onFault }), faults };
}

const found = { record: recordOf("owner", "id"), identity: 1, headSeq: 2, ended: true };

describe("a broken message of the process with the logs", () => {
  for (const batch of ["[", "[]", "{}", '{"type":"events","events":[{"seq":1,"event":{"type":"song"}}]}'])
    it(`fails the reader that asked for it: ${batch}`, async () => {
      const { logs } = openWorker({ find: found, next: batch });
      const kept = await logs.find("owner", "id");
      assert.ok(kept !== undefined);
      await assert.rejects(followed(kept.log, 0).ended, unreadable);
    });

  it("ends one of the turns that were left as interrupted, and the others have their steps and requests", async () => {
    const request = JSON.stringify(fullResumables[0]);
    const left = (id: string, steps: string, text?: string) => ({
      ...{ turn: id.length, record: recordOf("owner", id), steps, stops: [] },
      ...(text === undefined ? {} : { request: text }),
    });
    const steps = JSON.stringify([textOf("a")]);
    const { logs, faults } = openWorker({
      unfinished: [
        [left("whole", steps, request), left("broken", "[7]", request), left("request", steps, "{}")],
        [left("also whole", steps, request)],
        [],
      ],
    });
    const unfinished = await logs.unfinished();
    assert.deepEqual(
      unfinished.map(({ record: { id }, steps: read, request: kept }) => [
        id,
        read.length,
        kept !== undefined,
      ]),
      [
        ["whole", 1, true],
        ["broken", 0, false],
        ["request", 1, false],
        ["also whole", 1, true],
      ],
    );
    assert.equal(faults.length, 2);
  });

  it("that tells why an end was not kept still ends the turn for its readers", async () => {
    const { logs, faults } = openWorker({ create: { type: "created", turn: 1 }, append: "{}" });
    const log = await created(logs, "owner", "id");
    const follower = followed(log, 0);
    await log.append([{ type: "failure", error: new TroupeError("interrupted") }]);
    await follower.ended;
    assert.equal(follower.read(), "unkept-internal_error");
    assert.equal(faults.length, 1);
  });

  it("hides one running turn of a conversation, and not the others", async () => {
    const { request } = fullResumables[1] ?? assert.fail();
    const { peers, faults } = openWorker({
      runningIn: [
        { found, request: "{" },
        { found, request: JSON.stringify(request) },
      ],
    });
    const running = await peers.runningIn("owner", "c");
    assert.deepEqual(
      running.map((turn) => turn.request),
      [request],
    );
    assert.equal(faults.length, 1);
  });
});
