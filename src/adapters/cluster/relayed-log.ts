import { isTerminal, type TurnStep } from "../../ports/turn-event.ts";
import type { LogBatch, LogPosition, TurnLog } from "../../ports/turn-log.ts";
import { isUrgent } from "../sqlite/durable-log.ts";
import type { Channel } from "./channel.ts";

export interface RelayedLogOptions {
  readonly channel: Channel;
  /** The turn's number there. */
  readonly turn: number;
  readonly copy: TurnLog;
  /** Hears of a failure that could only be told here, since the logs could not keep it. */
  readonly onFault: (fault: unknown) => void;
}

/** A turn's log that another process keeps, followed here in a copy, which holds what was kept there. */
export class RelayedLog implements TurnLog {
  readonly #turn: number;
  readonly #copy: TurnLog;
  readonly #channel: Channel;
  readonly #onFault: (fault: unknown) => void;

  constructor({ turn, copy, channel, onFault }: RelayedLogOptions) {
    this.#turn = turn;
    this.#copy = copy;
    this.#channel = channel;
    this.#onFault = onFault;
  }

  get headSeq(): number {
    return this.#copy.headSeq;
  }

  get ended(): boolean {
    return this.#copy.ended;
  }

  follow(from: LogPosition): AsyncIterable<LogBatch> {
    return this.#copy.follow(from);
  }

  leave(): void {
    this.#copy.leave();
  }

  async append(steps: readonly TurnStep[]): Promise<void> {
    if (this.#copy.ended || steps.slice(0, -1).some(isTerminal)) return this.#copy.append(steps);
    try {
      const said = [this.#turn, JSON.stringify(steps)];
      await this.#channel.ask("logs", "append", said, !steps.some(isUrgent));
    } catch (fault) {
      // Those who follow it here would wait for ever.
      if (!steps.some(({ type }) => type === "failure")) throw fault;
      this.#onFault(fault);
    }
    await this.#copy.append(steps);
  }
}
