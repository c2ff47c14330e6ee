import type { KeyStore } from "../../ports/key-store.ts";
import type { Channel } from "./channel.ts";
import { type KeyHub, type KeyListener, keyHubMethods, keyListenerMethods } from "./key-hub.ts";
import { remotePort, servePort } from "./remote-port.ts";

/** The keys of all processes. A revocation is answered when each of them has heard of it. */
export function createKeyHub(keys: KeyStore, onFault: (fault: unknown) => void) {
  const listeners = new Map<Channel, KeyListener>();
  const hub: KeyHub = {
    create: (key, digest) => keys.create(key, digest),
    list: () => keys.list(),
    find: (digest) => keys.find(digest),
    async revoke(id) {
      const revoked = await keys.revoke(id);
      if (revoked === undefined) return undefined;
      await Promise.all(
        [...listeners].map(async ([channel, listener]) => {
          await listener.revoked(id).catch((fault: unknown) => {
            // What a process that is gone had under way is gone with it.
            if (!channel.ended.aborted) onFault(fault);
          });
        }),
      );
      return revoked;
    },
  };

  return {
    admit(channel: Channel): void {
      listeners.set(channel, remotePort<KeyListener>(channel, "key-listener", keyListenerMethods));
      channel.ended.addEventListener("abort", () => listeners.delete(channel));
      servePort(channel, "keys", keyHubMethods, hub);
    },
  };
}
