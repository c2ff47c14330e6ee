import type { KeyStore } from "../../ports/key-store.ts";
import type { Channel } from "./channel.ts";
import { type KeyHub, keyHubMethods, keyListenerMethods } from "./key-hub.ts";
import { remotePort, servePort } from "./remote-port.ts";
import { tell } from "./tell.ts";

/** Keys that another process keeps, which tells this one of every revocation. */
export function createRemoteKeys(channel: Channel, onFault: (fault: unknown) => void): KeyStore {
  const listeners = new Set<(id: string) => void>();
  servePort(channel, "key-listener", keyListenerMethods, {
    async revoked(id) {
      for (const listener of listeners) listener(id);
    },
  });
  const { listen, ...keys } = remotePort<KeyHub>(channel, "keys", keyHubMethods);
  tell(listen(), channel.ended, onFault);
  return {
    ...keys,
    onRevoked: (listener) => void listeners.add(listener),
  };
}
