import type { Clock } from "../../../ports/clock.ts";
import type { ModelSocket } from "./model-socket.ts";

/**
 * A socket is closed after this time without a call. Balancers and NATs drop silent connections without a word, some after 60 s, and a
 * call over a dropped one would wait for its time limit.
 */
const maxIdleMs = 30_000;
/** The vendor ends a socket after 60 minutes, in the middle of an answer if need be. A call that starts on one still has half of that. */
const maxAgeMs = 30 * 60_000;
/** Max sockets that wait; more are closed. */
const maxKept = 64;

interface Kept {
  readonly socket: ModelSocket;
  readonly untilMs: number;
}

/** The sockets of one endpoint and key that wait for their next call. The last one that was used is taken first. */
export class KeptSockets {
  readonly #clock: Clock;
  /** The socket that waits longest is first. */
  #kept: Kept[] = [];
  #stopTimer: (() => void) | undefined;
  #isOn = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An open socket that no call uses. */
  take(): ModelSocket | undefined {
    const kept = this.#kept.pop();
    if (kept === undefined) return undefined;
    this.#watch();
    const { socket } = kept;
    socket.listen(undefined);
    if (socket.isOpen && !this.#isTooOld(socket)) {
      socket.keepRunning(true);
      return socket;
    }
    socket.terminate();
    return this.take();
  }

  /** Keeps a socket whose call has ended in order. */
  keep(socket: ModelSocket): void {
    if (!this.#isOn || !socket.isOpen || this.#isTooOld(socket) || this.#kept.length >= maxKept) {
      socket.terminate();
      return;
    }
    socket.listen({
      onFrame: () => socket.terminate(),
      onClosed: () => this.#drop(socket),
    });
    socket.keepRunning(false);
    socket.letGo();
    this.#kept.push({ socket, untilMs: this.#clock.now() + maxIdleMs });
    this.#watch();
  }

  /** Closes all sockets that wait, and keeps none from now on. */
  close(): void {
    this.#isOn = false;
    const all = this.#kept;
    this.#kept = [];
    this.#watch();
    for (const { socket } of all) socket.terminate();
  }

  #isTooOld({ openedAtMs }: ModelSocket): boolean {
    return this.#clock.now() - openedAtMs >= maxAgeMs;
  }

  #drop(gone: ModelSocket): void {
    this.#kept = this.#kept.filter(({ socket }) => socket !== gone);
    this.#watch();
  }

  /** One timer watches all of them. */
  #watch(): void {
    const [first] = this.#kept;
    if (first === undefined) {
      this.#stopTimer?.();
      this.#stopTimer = undefined;
    } else {
      this.#stopTimer ??= this.#clock.callAfter(first.untilMs - this.#clock.now(), this.#closeIdle);
    }
  }

  readonly #closeIdle = (): void => {
    this.#stopTimer = undefined;
    const nowMs = this.#clock.now();
    const idle = this.#kept.filter(({ untilMs }) => untilMs <= nowMs);
    this.#kept = this.#kept.filter(({ untilMs }) => untilMs > nowMs);
    for (const { socket } of idle) socket.terminate();
    this.#watch();
  };
}
