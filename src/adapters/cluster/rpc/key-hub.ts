import { z } from "zod";
import type { KeyStore } from "../../../ports/key-store.ts";
import { limits } from "./handshake-methods.ts";
import { type Methods, nothing } from "./remote-port.ts";

/** The methods that the process with the keys offers to the others. */
export interface KeyHub extends Omit<KeyStore, "onRevoked"> {
  /** From now on `KeyListener.revoked` is called for each revocation. Call it before any other method. */
  listen(): Promise<void>;
}

/** The methods that a process offers to the one with the keys. */
export interface KeyListener {
  /** Settles when nothing is done for the key any more. */
  revoked(id: string): Promise<void>;
}

const text = z.string();
const newKey = z.object({ owner: text, name: text.exactOptional(), limits });
const storedKey = z.object({
  ...newKey.shape,
  id: text,
  createdAtMs: z.number(),
  revokedAtMs: z.number().exactOptional(),
});

export const keyHubMethods: Methods<KeyHub> = {
  listen: [z.tuple([]), nothing],
  create: [z.tuple([newKey, text]), storedKey],
  list: [z.tuple([]), z.array(storedKey)],
  find: [z.tuple([text]), storedKey.optional()],
  revoke: [z.tuple([text]), storedKey.optional()],
};
export const keyListenerMethods: Methods<KeyListener> = { revoked: [z.tuple([text]), nothing] };
