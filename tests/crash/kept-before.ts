import type { ServerMessage } from "../../src/protocol/server-messages.ts";
import { isUnkept } from "../support/wire-client.ts";

/** The messages sent before storage failed, all of which have a number. */
export function keptBefore(messages: readonly ServerMessage[]): readonly ServerMessage[] {
  const broken = messages.findIndex(isUnkept);
  return broken < 0 ? messages : messages.slice(0, broken);
}
