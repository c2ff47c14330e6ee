import type { LiveTurn, PeerAudience, Peers } from "../../../ports/peers.ts";
import { decodeTurnRequest, encodeStored } from "../../../ports/stored-turn.ts";
import type { KeptTurn } from "../../../ports/turn-log.ts";
import type { Channel } from "../rpc/channel.ts";
import { type FoundTurn, nameOf } from "../rpc/log-hub.ts";
import { type AnnouncedTurn, type PeerHub, peerHubMethods, workerMethods } from "../rpc/peer-hub.ts";
import { remotePort, servePort, tell } from "../rpc/remote-port.ts";

interface RemotePeersOptions {
  readonly channel: Channel;
  /** The log of a turn that was found. */
  readonly turnOf: (found: FoundTurn) => KeptTurn;
  readonly onFault: (fault: unknown) => void;
}

/** The peers of a process, reached through the process that knows all turns. */
export function createRemotePeers({ channel, turnOf, onFault }: RemotePeersOptions): Peers {
  const hub = remotePort<PeerHub>(channel, "peers", peerHubMethods);
  const joined = Promise.withResolvers<PeerAudience>();
  /** The number of followers of each conversation here. */
  const subscriptions = new Map<string, number>();
  /** The turns that run here and are followed elsewhere, each with the function that ends the watch. */
  const watched = new Map<string, () => void>();
  const say = (said: Promise<void>) => tell(said, channel.ended, onFault);

  function liveTurn({ found, request }: AnnouncedTurn): LiveTurn {
    return { ...turnOf(found), request: decodeTurnRequest(request) };
  }

  servePort(channel, "worker", workerMethods, {
    cancel: async (owner, id, personaId) => (await joined.promise).cancel(owner, id, personaId),
    endIn: async (owner, conversationId) => (await joined.promise).endIn(owner, conversationId),
    async watched(owner, id, isWatched) {
      const audience = await joined.promise;
      const name = nameOf(owner, id);
      watched.get(name)?.();
      watched.delete(name);
      if (isWatched) watched.set(name, audience.watch(owner, id));
    },
    began: async (turn) => void (await joined.promise).began(liveTurn(turn)),
    left: async () => (await joined.promise).left(),
  });

  return {
    join: joined.resolve,
    announce({ record: { owner, id, conversationId }, request }) {
      const told = conversationId === undefined ? undefined : encodeStored(request);
      say(hub.announce(owner, id, told));
    },
    async runningIn(owner, conversationId) {
      return (await hub.runningIn(owner, conversationId)).flatMap((turn) => {
        try {
          return [liveTurn(turn)];
        } catch (fault) {
          onFault(fault);
          return [];
        }
      });
    },
    subscribe(owner, conversationId) {
      const name = nameOf(owner, conversationId);
      const count = subscriptions.get(name) ?? 0;
      subscriptions.set(name, count + 1);
      if (count === 0) say(hub.subscribe(owner, conversationId));
      return () => {
        const left = (subscriptions.get(name) ?? 1) - 1;
        if (left > 0) return void subscriptions.set(name, left);
        subscriptions.delete(name);
        say(hub.unsubscribe(owner, conversationId));
      };
    },
    cancel: hub.cancel,
    endIn: hub.endIn,
    watch(owner, id) {
      say(hub.watch(owner, id));
      return () => say(hub.unwatch(owner, id));
    },
  };
}
