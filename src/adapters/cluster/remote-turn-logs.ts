import { isTerminal, type TurnStep } from "../../ports/turn-event.ts";
import type { KeptTurn, TurnLog, TurnLogStore, TurnRecord, UnfinishedTurn } from "../../ports/turn-log.ts";
import type { ResumableRequest } from "../../ports/turn-request.ts";
import { createMemoryTurnLog } from "../memory/memory-turn-log.ts";
import { parseEvents } from "../sqlite/event-codec.ts";
import { isUrgent } from "../sqlite/sqlite-turn-logs.ts";
import type { Channel } from "./channel.ts";
import { type FoundTurn, type LogHub, logHubMethods } from "./log-hub.ts";
import { nameOf } from "./name-of.ts";
import { createRemoteLogs } from "./remote-log.ts";
import { remotePort } from "./remote-port.ts";
import { tell } from "./tell.ts";

export interface RemoteTurnLogOptions {
  readonly channel: Channel;
  /** Hears of a failure that could only be told here, since the logs could not keep it. */
  readonly onFault: (fault: unknown) => void;
}

export interface RemoteTurnLogs extends TurnLogStore {
  /** Of the turns that run here, estimated. */
  readonly bytes: number;
  readonly count: number;
  /** The log of a turn that was found in another process. */
  readonly turnOf: (found: FoundTurn) => KeptTurn;
}

/** Logs that another process keeps. Turns that run here are followed here; all others through that process. */
export function createRemoteTurnLogs({ channel, onFault }: RemoteTurnLogOptions): RemoteTurnLogs {
  const hub = remotePort<LogHub>(channel, "logs", logHubMethods);
  const turnOf = createRemoteLogs(hub, (said) => tell(said, channel.ended, onFault));
  const own = new Map<string, KeptTurn>();
  let bytes = 0;

  /** A turn that runs here from now on. */
  function adopt(record: TurnRecord, turn: number): KeptTurn & { readonly copy: TurnLog } {
    const name = nameOf(record.owner, record.id);
    const memory = createMemoryTurnLog({
      onBytes: (change) => {
        bytes += change;
      },
      onEnd: () => {
        own.delete(name);
        bytes -= memory.bytes;
      },
    });
    const copy = memory.log;
    const kept = { record, log: keptThere(turn, copy), copy };
    own.set(name, kept);
    return kept;
  }

  /** Followed in the copy, which holds what was kept there. */
  function keptThere(turn: number, copy: TurnLog): TurnLog {
    return {
      get headSeq() {
        return copy.headSeq;
      },
      get ended() {
        return copy.ended;
      },
      follow: copy.follow,
      async append(steps) {
        if (copy.ended || steps.slice(0, -1).some(isTerminal)) return copy.append(steps);
        try {
          await channel.ask("logs", "append", [turn, JSON.stringify(steps)], !steps.some(isUrgent));
        } catch (fault) {
          // Those who follow it here would wait for ever.
          if (!steps.some(({ type }) => type === "failure")) throw fault;
          onFault(fault);
        }
        await copy.append(steps);
      },
    };
  }

  return {
    get bytes() {
      return bytes;
    },
    get count() {
      return own.size;
    },
    turnOf,
    async create(record, request, isNew = false) {
      const resumable = request === undefined ? null : JSON.stringify(request);
      const created = await hub.create(record, resumable, isNew);
      if (created.type === "created") return { type: "created", log: adopt(record, created.turn).log };
      if (created.type === "full") return created;
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
        for (const { turn, record, steps: text, request } of left) {
          const { log, copy } = adopt(record, turn);
          const steps = parseEvents<TurnStep[]>(text);
          await copy.append(steps);
          const kept = request === undefined ? {} : { request: JSON.parse(request) as ResumableRequest };
          unfinished.push({ record, log, steps, ...kept });
        }
      }
    },
  };
}
