import type { Line } from "../../../../src/adapters/cluster/rpc/channel.ts";

/** Both ends of a line in one process. Copies arrive in later turns of the event loop, as they do between two processes. */
export interface LinePair {
  readonly ends: readonly [Line, Line];
  /** Number of messages sent over the line. */
  readonly messages: number;
  /** Ends the line as if one of the processes had exited. Messages that were sent before still arrive. */
  cut(): void;
}

export function createLinePair(): LinePair {
  let isCut = false;
  let messages = 0;
  const ends = [createEnd(), createEnd()] as const;

  function createEnd() {
    const messageListeners: ((message: unknown) => void)[] = [];
    const endListeners: (() => void)[] = [];
    return { messageListeners, endListeners };
  }

  function lineOf(mine: 0 | 1): Line {
    const other = mine === 0 ? ends[1] : ends[0];
    return {
      send(message) {
        if (isCut) return;
        messages += 1;
        const copy = structuredClone(message);
        setImmediate(() => {
          for (const listener of other.messageListeners) listener(copy);
        });
      },
      onMessage: (listener) => void ends[mine].messageListeners.push(listener),
      onEnd: (listener) => void ends[mine].endListeners.push(listener),
    };
  }

  return {
    ends: [lineOf(0), lineOf(1)],
    get messages() {
      return messages;
    },
    cut() {
      if (isCut) return;
      isCut = true;
      setImmediate(() => {
        for (const { endListeners } of ends) for (const listener of endListeners) listener();
      });
    },
  };
}
