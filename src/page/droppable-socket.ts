import type { SocketConstructor } from "../client/index.ts";

/** A code without a meaning in any table, so the client takes the loss for an accident. */
const droppedByHand = 4900;

/**
 * The browser's own `WebSocket`, with a way to break the newest one. A page cannot cut the wire itself. But after `close` the browser
 * delivers no more messages, so later ones are lost, as on a broken line.
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
