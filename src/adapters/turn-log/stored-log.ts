import type { TurnStep } from "../../ports/turn-event.ts";
import type { LogReader, TurnLog } from "../../ports/turn-log.ts";
import type { TroupeError } from "../../protocol/errors.ts";
import type { MemoryTurnLog } from "./memory-turn-log.ts";

/** A log that is stored elsewhere before its readers see it, and that they follow in memory. */
export abstract class StoredLog implements TurnLog {
  protected readonly inner: MemoryTurnLog;

  constructor(inner: MemoryTurnLog) {
    this.inner = inner;
  }

  get headSeq(): number {
    return this.inner.headSeq;
  }

  get ended(): boolean {
    return this.inner.ended;
  }

  get unkept(): TroupeError | undefined {
    return this.inner.unkept;
  }

  get isFull(): boolean {
    return this.inner.isFull;
  }

  open(after: number, wake: () => void): LogReader {
    return this.inner.open(after, wake);
  }

  leave(): void {
    this.inner.leave();
  }

  abstract append(steps: readonly TurnStep[]): Promise<void>;
}
