/** The address that a load asks for its streams, and the way it asks. */
export interface Target {
  readonly port: number;
  /** `http`: one POST per stream, answered with an event stream. */
  readonly wire: "websocket" | "socket.io" | "http";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The frame or body that asks for a stream. */
  readonly question: string;
  /** How old a chunk's oldest token may be by the target's own rhythm. Anything above this is lag. */
  readonly rhythmMs: number;
}
