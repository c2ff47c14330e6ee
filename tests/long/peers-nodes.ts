import { after, it } from "node:test";
import { assertKept } from "./peers/assert-kept.ts";
import { type NodeFault, nodeFaults } from "./peers/node-faults.ts";
import type { Outcome } from "./peers/outcome.ts";
import { createTable } from "./peers/outcome-table.ts";
import type { Peer } from "./peers/peer.ts";
import { playNodeFault } from "./peers/play-node-fault.ts";
import { hasRedis } from "./peers/redis-process.ts";
import { resumableStreamPeer } from "./peers/resumable-stream-peer.ts";
import { socketIoPeers } from "./peers/socket-io-peer.ts";
import { troupePeer } from "./peers/troupe-peer.ts";
import { stopShared } from "./postgres/open-store.ts";
import { withPostgres } from "./postgres/postgres-server.ts";
import { writeRecord } from "./record/report.ts";

/** Peers whose processes share a store. */
const peers = [troupePeer, resumableStreamPeer, ...socketIoPeers.filter(({ usesRedis }) => usesRedis)];
const nodeCount = 3;
/** `PEERS_ROUNDS` plays every fault so often. Without it, the first one is played, and Troupe alone has a node killed. */
const rounds = Number(process.env.PEERS_ROUNDS ?? 1);
const isShort = process.env.PEERS_ROUNDS === undefined;

function peersFor({ kills }: NodeFault): readonly Peer[] {
  if (!isShort) return peers;
  return kills === true ? [troupePeer] : peers;
}

const nameOf = (peer: Peer) => (peer.usesRedis ? peer.name : `${peer.name}, PostgreSQL`);

after(stopShared);
// Every process that runs is killed if this one exits.
process.setMaxListeners(50);

it("the same answer through three nodes of each peer, with the same faults", {
  skip: withPostgres.skip || (!hasRedis() && process.env.CI !== "true" && "no redis-server"),
}, async () => {
  const table = createTable();
  const ours: [NodeFault, Outcome][] = [];

  /** Plays a fault with all peers at the same time. Each has its own store, so they do not affect one another. */
  async function play(fault: NodeFault): Promise<void> {
    const outcomes = new Map<Peer, Outcome[]>(peersFor(fault).map((peer) => [peer, []]));
    for (let round = 0; round < rounds; round += 1)
      await Promise.all(
        [...outcomes].map(async ([peer, played]) => played.push(await playNodeFault(peer, fault, nodeCount))),
      );
    for (const [peer, played] of outcomes) table.add(fault.name, nameOf(peer), played);
    for (const outcome of outcomes.get(troupePeer) ?? []) ours.push([fault, outcome]);
  }
  if (isShort) await Promise.all(nodeFaults.filter(({ kills }, index) => index === 0 || kills).map(play));
  else for (const fault of nodeFaults) await play(fault);
  console.log(table.text());
  writeRecord("peers-nodes", { PEERS_ROUNDS: rounds }, table.text());

  assertKept(ours);
});
