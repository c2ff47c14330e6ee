/** The fields of a standard `WebSocket` event that the client reads. */
export interface SocketEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

/** The part of the standard `WebSocket` that the client uses. */
export interface SocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(
    type: "open" | "message" | "close" | "error",
    listener: (event: SocketEvent) => void,
  ): void;
}

/** The standard `WebSocket` constructor, or a compatible one. */
export type SocketConstructor = new (url: string, protocols?: string[]) => SocketLike;

/** Starts a timer and returns the function that stops it. */
export type SetTimer = (run: () => void, delayMs: number) => () => void;
