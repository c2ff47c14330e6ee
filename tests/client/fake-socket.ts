import type { SetTimer, SocketConstructor, SocketEvent } from "../../src/client/index.ts";

export interface FakeSocket {
  readonly url: string;
  readonly protocols: readonly string[] | undefined;
  readonly sent: readonly string[];
  readonly closedWith: readonly (number | undefined)[];
  emit(event: SocketEvent): void;
}

/** A `WebSocket` class whose sockets do nothing by themselves, and the list of its sockets. */
export function fakeSockets(): { readonly WebSocket: SocketConstructor; readonly sockets: FakeSocket[] } {
  const sockets: FakeSocket[] = [];
  class Fake {
    constructor(url: string, protocols?: string[]) {
      const listeners: { type: string; listener: (event: SocketEvent) => void }[] = [];
      const sent: string[] = [];
      const closedWith: (number | undefined)[] = [];
      this.send = (text) => void sent.push(text);
      this.close = (code) => void closedWith.push(code);
      this.addEventListener = (type, listener) => void listeners.push({ type, listener });
      sockets.push({
        url,
        protocols,
        sent,
        closedWith,
        emit(event) {
          for (const { type, listener } of listeners) if (type === event.type) listener(event);
        },
      });
    }
    send: (text: string) => void;
    close: (code?: number) => void;
    addEventListener: (type: string, listener: (event: SocketEvent) => void) => void;
  }
  return { WebSocket: Fake, sockets };
}

/** Timers that fire when a test says so; `pending` holds the waits in milliseconds. */
export function manualTimers(): { readonly setTimer: SetTimer; readonly pending: number[]; fire(): void } {
  let timers: { run: () => void; delayMs: number }[] = [];
  return {
    setTimer(run, delayMs) {
      const timer = { run, delayMs };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    get pending() {
      return timers.map((timer) => timer.delayMs);
    },
    fire() {
      const due = timers;
      timers = [];
      for (const timer of due) timer.run();
    },
  };
}
