import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { pathOf, sendRefusal } from "./handshake.ts";

type UpgradeListener = (request: IncomingMessage, stream: Duplex, head: Buffer) => void;

/** Marks a listener with the one path that it serves; registered, so that two copies of this package know each other's. */
const servedPath = Symbol.for("troupe.servedPath");

interface Door extends UpgradeListener {
  [servedPath]?: string;
}

/**
 * Takes an HTTP server's upgrades for one path; the returned function gives them back. An upgrade for a path that no listener serves
 * gets 404. That is known only while all listeners are doors like this one: a foreign listener has to answer what it does not
 * serve itself.
 */
export function attachDoor(server: Server, path: string, upgrade: UpgradeListener): () => void {
  const door: Door = (request, stream, head) => {
    const asked = pathOf(request);
    if (asked === path) return upgrade(request, stream, head);
    const listeners: Door[] = server.listeners("upgrade").map((listener) => listener as Door);
    const paths = listeners.map((listener) => listener[servedPath]);
    // One of them answers, the first.
    if (listeners[0] === door && !paths.includes(undefined) && !paths.includes(asked))
      sendRefusal(stream, { status: 404, code: "not_found", message: "There is nothing here." });
  };
  door[servedPath] = path;
  server.on("upgrade", door);
  return () => server.off("upgrade", door);
}
