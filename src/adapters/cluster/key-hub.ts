import { z } from "zod";
import type { KeyStore } from "../../ports/key-store.ts";
import { limits } from "./handshake-methods.ts";
import type { Methods } from "./remote-port.ts";

/** What the process that keeps the keys does for the others. */
export interface KeyHub extends Omit<KeyStore, "onRevoked"> {
  /** From now on `KeyListener.revoked` tells of revocations; said before anything else. */
  listen(): Promise<void>;
}

/** What a process does for the one that keeps the keys. */
export interface KeyListener {
  /** Settles when nothing is done for the key any more. */
  revoked(id: string): Promise<void>;
}

const text = z.string();
const newKey = z.object({ owner: text, name: text.exactOptional(), limits });

export const keyHubMethods: Methods<KeyHub> = {
  listen: z.tuple([]),
  create: z.tuple([newKey, text]),
  list: z.tuple([]),
  find: z.tuple([text]),
  revoke: z.tuple([text]),
};
export const keyListenerMethods: Methods<KeyListener> = { revoked: z.tuple([text]) };
