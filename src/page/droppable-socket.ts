import type { SocketConstructor } from "../client/index.ts";

/** A code that no table gives a meaning to, so that the client takes the loss for an accident. */
const droppedByHand = 4900;

/**
 * The browser's own `WebSocket`, with a way to break the newest one. A page cannot cut the wire itself; but from `close` on the
 * browser hands over nothing more, whatever the server still sends, and that part is lost as it is with a broken line.
 */
export function createDroppableSocket(): { readonly WebSocket: SocketConstructor; drop(): void } {
  let newest: WebSocket | undefined;
  return {
    WebSocket: new Proxy(WebSocket, {
      construct(Constructor, [url, protocols]: [string, string[]]) {
        newest = new Constructor(url, protocols);
        return newest;
      },
    }),
    drop: () => newest?.close(droppedByHand, "Dropped by hand."),
  };
}
