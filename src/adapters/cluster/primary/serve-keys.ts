import type { KeyStore } from "../../../ports/key-store.ts";
import type { Channel } from "../rpc/channel.ts";
import { type KeyHub, type KeyListener, keyHubMethods, keyListenerMethods } from "../rpc/key-hub.ts";
import { remotePort, servePort } from "../rpc/remote-port.ts";

/** The keys of all processes. A revocation settles when every process that opens anything with a key knows of it. */
export function createKeyHub(keys: KeyStore, onFault: (fault: unknown) => void) {
  const listeners = new Map<Channel, KeyListener>();

  async function revoke(id: string) {
    const revoked = await keys.revoke(id);
    if (revoked === undefined) return undefined;
    await Promise.all(
      [...listeners].map(async ([channel, listener]) => {
        await listener.revoked(id).catch((fault: unknown) => {
          // A process that is gone has nothing under way for the key.
          if (!channel.ended.aborted) onFault(fault);
        });
      }),
    );
    return revoked;
  }

  return {
    admit(channel: Channel): void {
      channel.ended.addEventListener("abort", () => listeners.delete(channel));
      const hub: KeyHub = {
        // Not earlier: a process that is starting loses messages, and it has looked up no key yet.
        async listen() {
          listeners.set(channel, remotePort<KeyListener>(channel, "key-listener", keyListenerMethods));
        },
        create: (key, digest) => keys.create(key, digest),
        list: () => keys.list(),
        find: (digest) => keys.find(digest),
        revoke,
      };
      servePort(channel, "keys", keyHubMethods, hub);
    },
  };
}
