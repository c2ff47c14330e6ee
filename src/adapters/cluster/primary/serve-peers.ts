import { nameOf } from "../rpc/log-hub.ts";
import type { AnnouncedTurn, PeerHub } from "../rpc/peer-hub.ts";
import { tell } from "../rpc/remote-port.ts";
import type { Directory, DirectoryEntry, Member } from "./directory.ts";
import { foundTurn } from "./serve-logs.ts";

interface PeerHubOptions {
  readonly directory: Directory;
  readonly member: Member;
  /** All processes that run turns, including this one. */
  readonly members: Iterable<Member>;
  /** The processes that subscribed to each conversation. */
  readonly subscribers: Subscribers;
  readonly onFault: (fault: unknown) => void;
}

/** Keeps track of the processes that subscribed to each conversation. */
export function createSubscribers() {
  const byConversation = new Map<string, Set<Member>>();

  return {
    add(owner: string, conversationId: string, member: Member): void {
      const name = nameOf(owner, conversationId);
      const members = byConversation.get(name) ?? new Set();
      byConversation.set(name, members.add(member));
    },
    remove(owner: string, conversationId: string, member: Member): void {
      const name = nameOf(owner, conversationId);
      const members = byConversation.get(name);
      members?.delete(member);
      if (members?.size === 0) byConversation.delete(name);
    },
    of: (owner: string, conversationId: string) => byConversation.get(nameOf(owner, conversationId)) ?? [],
    leave(member: Member): void {
      for (const [name, members] of byConversation) {
        members.delete(member);
        if (members.size === 0) byConversation.delete(name);
      }
    },
  };
}

type Subscribers = ReturnType<typeof createSubscribers>;

/** Serves the peers to one process that runs turns. */
export function createPeerHub({ directory, member, members, subscribers, onFault }: PeerHubOptions): PeerHub {
  /** The turn, unless it runs in the process that asks. */
  function elsewhere(owner: string, id: string): DirectoryEntry | undefined {
    const entry = directory.find(owner, id);
    return entry?.runner === member ? undefined : entry;
  }

  function count(entry: DirectoryEntry, change: 1 | -1): void {
    const before = entry.watchers.size;
    const mine = (entry.watchers.get(member) ?? 0) + change;
    if (mine > 0) entry.watchers.set(member, mine);
    else entry.watchers.delete(member);
    if (before > 0 !== entry.watchers.size > 0) tellWatched(entry);
  }

  function tellWatched({ runner, isAnnounced, record, watchers }: DirectoryEntry): void {
    if (runner === undefined || !isAnnounced) return;
    tell(runner.worker.watched(record.owner, record.id, watchers.size > 0), runner.gone, onFault);
  }

  return {
    async announce(owner, id, request) {
      const entry = directory.find(owner, id);
      if (entry?.runner !== member) return;
      entry.isAnnounced = true;
      entry.request = request;
      entry.announced.resolve();
      if (entry.watchers.size > 0) tellWatched(entry);
      const announced = announcedTurn(entry);
      if (announced === undefined) return;
      for (const other of subscribers.of(owner, entry.record.conversationId ?? ""))
        if (other !== member) tell(other.worker.began(announced), other.gone, onFault);
    },
    async runningIn(owner, conversationId) {
      const entries = directory.runningIn(owner, conversationId).filter(({ runner }) => runner !== member);
      return entries.flatMap((entry) => announcedTurn(entry) ?? []);
    },
    async subscribe(owner, conversationId) {
      subscribers.add(owner, conversationId, member);
    },
    async unsubscribe(owner, conversationId) {
      subscribers.remove(owner, conversationId, member);
    },
    async cancel(owner, id, personaId) {
      const entry = elsewhere(owner, id);
      await entry?.announced.promise;
      const runner = entry?.runner;
      if (entry === undefined || runner === undefined || runner === member) return false;
      try {
        const isStopped = await runner.worker.cancel(owner, id, personaId);
        if (isStopped) await directory.keepStop(entry, personaId ?? null);
        return isStopped;
      } catch (error) {
        // The turn ends because its process is gone, and not because of this cancel.
        if (runner.gone.aborted) return false;
        throw error;
      }
    },
    async endIn(owner, conversationId) {
      // A process that has not asked for the left turns is still starting and runs none.
      const others = [...members].filter((other) => other !== member && other.hasAsked);
      await Promise.all(
        others.map(async ({ worker, gone }) => {
          try {
            await worker.endIn(owner, conversationId);
          } catch (error) {
            if (!gone.aborted) throw error;
          }
        }),
      );
    },
    async watch(owner, id) {
      const entry = elsewhere(owner, id);
      if (entry !== undefined) count(entry, 1);
    },
    async unwatch(owner, id) {
      const entry = elsewhere(owner, id);
      if (entry?.watchers.has(member) === true) count(entry, -1);
    },
  };
}

function announcedTurn(entry: DirectoryEntry): AnnouncedTurn | undefined {
  const { request } = entry;
  return request === undefined ? undefined : { found: foundTurn(entry), request };
}
