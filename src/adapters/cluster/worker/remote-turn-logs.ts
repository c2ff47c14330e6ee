import {
  decodeError,
  decodeResumableRequest,
  decodeSteps,
  encodeStored,
} from "../../../ports/stored-turn.ts";
import { isTerminal, isUrgent, type TurnStep } from "../../../ports/turn-event.ts";
import type {
  KeptTurn,
  LogReader,
  TurnLog,
  TurnLogStore,
  TurnPlace,
  TurnRecord,
  TurnStop,
  UnfinishedTurn,
} from "../../../ports/turn-log.ts";
import { TroupeError } from "../../../protocol/errors.ts";
import { MemoryTurnLog } from "../../turn-log/memory-turn-log.ts";
import type { Channel } from "../rpc/channel.ts";
import { type FoundTurn, type LeftTurn, type LogHub, logHubMethods, nameOf } from "../rpc/log-hub.ts";
import { remotePort, tell } from "../rpc/remote-port.ts";
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

interface RelayedLogOptions {
  readonly channel: Channel;
  /** The turn's number in the other process. */
  readonly turn: number;
  readonly copy: MemoryTurnLog;
  /** Called when the turn is over but its end was not kept; from then on the other process is asked for the turn. */
  readonly onUnkept: () => void;
  /** Called with a failure that the logs could not keep, so that it can be reported only here. */
  readonly onFault: (fault: unknown) => void;
}

/** A turn's log that another process keeps. Readers here follow a copy, which holds only events that were kept there. */
class RelayedLog implements TurnLog {
  isFull = false;
  readonly #turn: number;
  readonly #copy: MemoryTurnLog;
  readonly #channel: Channel;
  readonly #onUnkept: () => void;
  readonly #onFault: (fault: unknown) => void;

  constructor({ turn, copy, channel, onUnkept, onFault }: RelayedLogOptions) {
    this.#turn = turn;
    this.#copy = copy;
    this.#channel = channel;
    this.#onUnkept = onUnkept;
    this.#onFault = onFault;
  }

  get unkept(): TroupeError | undefined {
    return this.#copy.unkept;
  }

  get headSeq(): number {
    return this.#copy.headSeq;
  }

  get ended(): boolean {
    return this.#copy.ended;
  }

  open(after: number, wake: () => void): LogReader {
    return this.#copy.open(after, wake);
  }

  leave(): void {
    this.#copy.leave();
  }

  async append(steps: readonly TurnStep[]): Promise<void> {
    if (this.#copy.ended || steps.slice(0, -1).some(isTerminal)) return this.#copy.append(steps);
    try {
      const said = [this.#turn, encodeStored(steps)];
      const answer = await this.#channel.ask("logs", "append", said, !steps.some(isUrgent));
      if (typeof answer === "string") return this.#loseEnd(decodeError(answer));
      this.isFull = answer === true;
    } catch (fault) {
      // Without the end that was to be appended, readers here would wait for ever.
      if (!steps.some(({ type }) => type === "failure")) throw fault;
      this.#onFault(fault);
      return this.#loseEnd(TroupeError.from(fault).asData());
    }
    this.#copy.add(steps);
  }

  async keepStop(stop: TurnStop): Promise<void> {
    if (this.#copy.ended) return;
    await this.#channel.ask("logs", "keepStop", [this.#turn, stop]).catch(this.#onFault);
  }

  #loseEnd(error: TroupeError): void {
    this.#copy.loseEnd(error);
    this.#onUnkept();
  }
}
