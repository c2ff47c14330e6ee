import { decodeResumableRequest, decodeSteps, encodeStored } from "../../../ports/stored-turn.ts";
import type { TurnStep } from "../../../ports/turn-event.ts";
import type {
  KeptTurn,
  TurnLogStore,
  TurnPlace,
  TurnRecord,
  UnfinishedTurn,
} from "../../../ports/turn-log.ts";
import { MemoryTurnLog } from "../../turn-log/memory-turn-log.ts";
import type { Channel } from "../rpc/channel.ts";
import { type FoundTurn, type LeftTurn, type LogHub, logHubMethods, nameOf } from "../rpc/log-hub.ts";
import { remotePort, tell } from "../rpc/remote-port.ts";
import { RelayedLog } from "./relayed-log.ts";
import { createRemoteLogs } from "./remote-log.ts";

interface RemoteTurnLogOptions {
  readonly channel: Channel;
  /** Called with a failure that the logs could not keep, so that it can be reported only here. */
  readonly onFault: (fault: unknown) => void;
}

interface RemoteTurnLogs extends TurnLogStore {
  /** Estimated bytes of the turns that run here. */
  readonly bytes: number;
  readonly count: number;
  /** The log of a turn that was found in another process. */
  readonly turnOf: (found: FoundTurn) => KeptTurn;
}

/** Logs that another process keeps. Turns that run here are followed here, all others through that process. */
export function createRemoteTurnLogs({ channel, onFault }: RemoteTurnLogOptions): RemoteTurnLogs {
  const hub = remotePort<LogHub>(channel, "logs", logHubMethods);
  const turnOf = createRemoteLogs(hub, (said) => tell(said, channel.ended, onFault));
  const own = new Map<string, KeptTurn>();
  let bytes = 0;

  /** Makes the log of a turn that runs here from now on. */
  function adopt(record: TurnRecord, turn: number): KeptTurn & { readonly copy: MemoryTurnLog } {
    const name = nameOf(record.owner, record.id);
    const forget = () => {
      own.delete(name);
      bytes -= copy.bytes;
    };
    const copy = new MemoryTurnLog({
      from: { throughSeq: record.afterSeq ?? 0, lanes: [] },
      onBytes: (change) => {
        bytes += change;
      },
      onEnd: forget,
    });
    const kept = {
      record,
      log: new RelayedLog({ turn, copy, channel, onUnkept: forget, onFault }),
      copy,
    };
    own.set(name, kept);
    return kept;
  }

  /** Takes up a turn that another process left. If it cannot be read, it has no request and so ends as interrupted. */
  function takeUp({ turn, record, steps: text, request, stops }: LeftTurn): UnfinishedTurn {
    const { log, copy } = adopt(record, turn);
    let steps: readonly TurnStep[] = [];
    try {
      steps = decodeSteps(text);
      copy.add(steps);
      return request === undefined
        ? { record, log, steps }
        : { record, log, steps, request: decodeResumableRequest(request), stops };
    } catch (fault) {
      onFault(fault);
      return { record, log, steps };
    }
  }

  return {
    isLasting: true,
    get bytes() {
      return bytes;
    },
    get count() {
      return own.size;
    },
    turnOf,
    async create(record, { request, isNew = false, place = unlimited(record.owner), question } = {}) {
      const resumable = request === undefined ? null : encodeStored(request);
      const created = await hub.create(record, resumable, isNew, place, question);
      if (created.type === "created") return { type: "created", log: adopt(record, created.turn).log };
      if (created.type === "full" || created.type === "moved") return created;
      return { type: "exists", turn: own.get(nameOf(record.owner, record.id)) ?? turnOf(created.turn) };
    },
    async find(owner, id) {
      const here = own.get(nameOf(owner, id));
      if (here !== undefined) return here;
      const found = await hub.find(owner, id);
      return found === undefined ? undefined : turnOf(found);
    },
    forget: hub.forget,
    async unfinished() {
      const unfinished: UnfinishedTurn[] = [];
      for (;;) {
        const left = await hub.unfinished();
        if (left.length === 0) return unfinished;
        for (const turn of left) unfinished.push(takeUp(turn));
      }
    },
  };
}

/** A place to which no limit of a key applies. */
function unlimited(owner: string): TurnPlace {
  return {
    caller: { owner, keyId: owner, limits: { requestsInFlight: Number.MAX_SAFE_INTEGER } },
    heldBytes: 0,
  };
}
