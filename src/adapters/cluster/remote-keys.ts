import type { KeyStore } from "../../ports/key-store.ts";
import type { Channel } from "./channel.ts";
import { type KeyHub, keyHubMethods, keyListenerMethods } from "./key-hub.ts";
import { remotePort, servePort } from "./remote-port.ts";

/** Keys that another process keeps, which tells this one of every revocation. */
export function createRemoteKeys(channel: Channel): KeyStore {
  const listeners = new Set<(id: string) => void>();
  servePort(channel, "key-listener", keyListenerMethods, {
    async revoked(id) {
      for (const listener of listeners) listener(id);
    },
  });
  return {
    ...remotePort<KeyHub>(channel, "keys", keyHubMethods),
    onRevoked: (listener) => void listeners.add(listener),
  };
}
