import { it } from "node:test";
import { assertKept } from "./peers/assert-kept.ts";
import { type Fault, faults } from "./peers/faults.ts";
import type { Outcome } from "./peers/outcome.ts";
import { createTable } from "./peers/outcome-table.ts";
import type { Peer } from "./peers/peer.ts";
import { canSuffer, playFault } from "./peers/play-fault.ts";
import { hasRedis, startRedis } from "./peers/redis-process.ts";
import { resumableStreamPeer } from "./peers/resumable-stream-peer.ts";
import { socketIoPeers } from "./peers/socket-io-peer.ts";
import { troupePeer } from "./peers/troupe-peer.ts";
import { writeRecord } from "./record/report.ts";

const peers = [troupePeer, resumableStreamPeer, ...socketIoPeers];
/**
 * `PEERS_ROUNDS` sets how often everything is played. The exact moment of a fault varies by milliseconds, and so does its
 * effect.
 */
const rounds = Number(process.env.PEERS_ROUNDS ?? 1);

/** Runs all peers at the same time. Each has its own Redis, so they do not affect one another. */
async function playRound(fault: Fault): Promise<Map<Peer, Outcome>> {
  const able = peers.filter((peer) => canSuffer(peer, fault));
  const outcomes = able.map(async (peer): Promise<[Peer, Outcome]> => {
    await using redis = await startRedis();
    return [peer, await playFault(peer, fault, redis)];
  });
  return new Map(await Promise.all(outcomes));
}

it("the same answer through peers, with the same faults", {
  skip: !hasRedis() && process.env.CI !== "true" && "no redis-server",
}, async () => {
  const table = createTable();
  const ours: [Fault, Outcome][] = [];
  for (const fault of faults) {
    const played: Map<Peer, Outcome>[] = [];
    for (let round = 0; round < rounds; round += 1) played.push(await playRound(fault));
    for (const peer of played[0]?.keys() ?? []) {
      const outcomes = played.flatMap((outcomesByPeer) => outcomesByPeer.get(peer) ?? []);
      table.add(fault.name, peer.name, outcomes);
      if (peer === troupePeer) ours.push(...outcomes.map((outcome): [Fault, Outcome] => [fault, outcome]));
    }
  }
  console.log(table.text());
  writeRecord("peers-durability", { PEERS_ROUNDS: rounds }, table.text());

  assertKept(ours);
});
