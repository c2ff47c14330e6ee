import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { pathOf, sendRefusal } from "./handshake.ts";

type UpgradeListener = (request: IncomingMessage, stream: Duplex, head: Buffer) => void;

/**
 * Marks a listener with the one path that it serves. The symbol is registered, so that two copies of this package recognise each other's
 * listeners.
 */
const servedPath = Symbol.for("troupe.servedPath");

interface Door extends UpgradeListener {
  [servedPath]?: string;
}

/**
 * Takes an HTTP server's upgrades for one path; the returned function detaches it. An upgrade for a path that no listener serves gets
 * 404. That is known only if all listeners are doors like this one. A foreign listener must answer the upgrades that it does not serve.
 */
export function attachDoor(server: Server, path: string, upgrade: UpgradeListener): () => void {
  const door: Door = (request, stream, head) => {
    const asked = pathOf(request);
    if (asked === path) return upgrade(request, stream, head);
    const listeners: Door[] = server.listeners("upgrade").map((listener) => listener as Door);
    const paths = listeners.map((listener) => listener[servedPath]);
    // Only the first listener answers.
    if (listeners[0] === door && !paths.includes(undefined) && !paths.includes(asked))
      sendRefusal(stream, { status: 404, code: "not_found", message: "There is nothing here." });
  };
  door[servedPath] = path;
  server.on("upgrade", door);
  return () => server.off("upgrade", door);
}
