import { z } from "zod";
import { TroupeError } from "../../../protocol/errors.ts";
import { parseEvents } from "../../turn-log/event-codec.ts";

const plain = z.object({ name: z.string(), message: z.string() });

/** Encodes an error: a `TroupeError` with all that a client may read, any other error by its name and message. */
export function encodeRefusal(thrown: unknown): string {
  if (thrown instanceof TroupeError) return JSON.stringify(thrown);
  if (!(thrown instanceof Error)) return JSON.stringify({ name: "Error", message: String(thrown) });
  return JSON.stringify({ name: thrown.name, message: thrown.message });
}

export function decodeRefusal(text: string): Error {
  const error = parseEvents<unknown>(text);
  if (error instanceof TroupeError) return error;
  const { name, message } = plain.parse(error);
  return Object.assign(new Error(message), { name });
}
