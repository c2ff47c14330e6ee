import { decodeError, encodeStored } from "../../../ports/stored-turn.ts";
import { isTerminal, isUrgent, type TurnStep } from "../../../ports/turn-event.ts";
import type { LogReader, TurnLog, TurnStop } from "../../../ports/turn-log.ts";
import { TroupeError } from "../../../protocol/errors.ts";
import type { MemoryTurnLog } from "../../turn-log/memory-turn-log.ts";
import type { Channel } from "../rpc/channel.ts";

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
export class RelayedLog implements TurnLog {
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
