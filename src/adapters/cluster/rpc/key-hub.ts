import { z } from "zod";
import type { KeyStore } from "../../../ports/key-store.ts";
import { limits } from "./handshake-methods.ts";
import type { Methods } from "./remote-port.ts";

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

export const keyHubMethods: Methods<KeyHub> = {
  listen: z.tuple([]),
  create: z.tuple([newKey, text]),
  list: z.tuple([]),
  find: z.tuple([text]),
  revoke: z.tuple([text]),
};
export const keyListenerMethods: Methods<KeyListener> = { revoked: z.tuple([text]) };
