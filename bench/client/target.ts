/** Where and how a load asks for its streams. */
export interface Target {
  readonly port: number;
  /** `http`: one POST a stream, answered with an event stream. */
  readonly wire: "websocket" | "socket.io" | "http";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The frame or body that asks for a stream. */
  readonly question: string;
  /** How old the oldest token of a chunk may be by the target's own rhythm; what is beyond it is lag. */
  readonly rhythmMs: number;
}
