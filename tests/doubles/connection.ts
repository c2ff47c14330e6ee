import type { Socket } from "node:net";

/** One accepted connection, as the script player needs it. */
export interface Connection {
  /** Aborts when the client closes its side (FIN, RST) or the socket is closed, whichever comes first. */
  readonly clientGone: AbortSignal;
  /** Aborts when the socket is closed on both sides. */
  readonly closed: AbortSignal;
  /** Sends one packet. Returns true once the kernel has taken it, false if the socket is closed. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** Sends FIN: nothing is sent after it. */
  end(): void;
  /** Sends a TCP RST. */
  reset(): void;
  /** Closes at once, without waiting for the client. */
  destroy(): void;
}

/**
 * Wraps an accepted socket that allows half-open connections. The caller must read the socket, or a FIN goes unseen. One
 * write at a time.
 */
export function createConnection(socket: Socket): Connection {
  const clientGone = new AbortController();
  const closed = new AbortController();
  let settleWrite: ((written: boolean) => void) | undefined;

  const leave = (): void => clientGone.abort();
  socket.setNoDelay(true);
  socket.once("end", leave);
  // A reset by the client arrives as an error. The `close` that always follows it does the rest.
  socket.on("error", leave);
  socket.once("close", () => {
    leave();
    closed.abort();
    settleWrite?.(false);
  });

  return {
    clientGone: clientGone.signal,
    closed: closed.signal,
    write(bytes) {
      if (!socket.writable) return Promise.resolve(false);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      settleWrite = resolve;
      socket.write(bytes, (error) => resolve(error === null || error === undefined));
      return promise;
    },
    end: () => socket.end(),
    reset: () => socket.resetAndDestroy(),
    destroy: () => socket.destroy(),
  };
}

/** Settles when the signal aborts, or at once if it has aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
