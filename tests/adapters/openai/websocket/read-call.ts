import { TroupeError } from "../../../../src/protocol/errors.ts";
import { createProviderSetup, type ProviderSetup, reading } from "../provider-setup.ts";

export const createSocketSetup = () => createProviderSetup({ transport: "websocket" });

/** Reads a call to its end. */
export async function readCall(at: ProviderSetup, changes: Parameters<typeof reading>[2] = {}) {
  const call = reading(at, new AbortController().signal, changes);
  const thrown = await call.ended;
  const events = call.batches.flat();
  const text = events.map((event) => (event.type === "text" ? event.text : "")).join("");
  return { thrown, events, text, code: thrown instanceof TroupeError ? thrown.code : thrown };
}

/** One event as a frame of a script. */
export const frame = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;
