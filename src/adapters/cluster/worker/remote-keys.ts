import type { KeyStore } from "../../../ports/key-store.ts";
import type { Channel } from "../rpc/channel.ts";
import { type KeyHub, keyHubMethods, keyListenerMethods } from "../rpc/key-hub.ts";
import { remotePort, servePort, tell } from "../rpc/remote-port.ts";

/** Keys in another process, which tells this one of every revocation. */
export function createRemoteKeys(channel: Channel, onFault: (fault: unknown) => void): KeyStore {
  const listeners = new Set<(id: string) => void>();
  /** The first revocation may come before there is a listener. */
  const revoked = new Set<string>();
  servePort(channel, "key-listener", keyListenerMethods, {
    async revoked(id) {
      revoked.add(id);
      for (const listener of listeners) listener(id);
    },
  });
  const { listen, ...keys } = remotePort<KeyHub>(channel, "keys", keyHubMethods);
  tell(listen(), channel.ended, onFault);
  return {
    ...keys,
    onRevoked(listener) {
      listeners.add(listener);
      for (const id of revoked) listener(id);
    },
  };
}
