import type { TurnRecord } from "../../../ports/turn-log.ts";

/** The turns that this process has begun or claimed, by their numbers. */
export interface OwnTurns {
  add(number: number, record: TurnRecord): void;
  find(number: number): TurnRecord | undefined;
  /** The turn has ended, or was let go or refused. */
  end(number: number): void;
  /**
   * Looks for turns that have this node's incarnation and are not known here: the answer to their claim was lost. `find` is given the known
   * numbers, and finds others. Returns those of them that are still not known.
   */
  findUnknown<Found extends { readonly number: number }>(
    find: (known: readonly number[]) => Promise<readonly Found[]>,
  ): Promise<readonly Found[]>;
}

export function createOwnTurns(): OwnTurns {
  const running = new Map<number, TurnRecord>();
  /** Turns that ended while a look was under way, which may still find them running. */
  const ended = new Set<number>();
  let looks = 0;

  return {
    add: (number, record) => void running.set(number, record),
    find: (number) => running.get(number),
    end(number) {
      if (running.delete(number) && looks > 0) ended.add(number);
    },
    async findUnknown(find) {
      looks += 1;
      try {
        const found = await find([...running.keys()]);
        return found.filter(({ number }) => !running.has(number) && !ended.has(number));
      } finally {
        looks -= 1;
        if (looks === 0) ended.clear();
      }
    },
  };
}
