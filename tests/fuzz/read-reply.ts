import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";
import { type ServerMessage, serverMessage } from "../../src/protocol/server-messages.ts";

// The generated schema closes every object, so it refuses fields that the message does not name.
const fits = new Ajv2020().compile<ServerMessage>(z.toJSONSchema(serverMessage));
const root = fileURLToPath(new URL("../..", import.meta.url));
/** Text that would show a client the inside of the server: lines of a stack, places in source files, module paths. */
const insides = /node_modules|node:internal|file:\/\/\/|\.[cm]?[jt]s:\d+|\n\s*at \S|\bat [\w.<>]+ \(/;

/** One reply as a message. Throws if the protocol has no such message, or if it shows the server's inside. */
export function readReply(text: string): ServerMessage {
  const message: unknown = JSON.parse(text);
  if (!fits(message)) throw new Error(`not a server message: ${text}\n${describe()}`);
  if (insides.test(text) || text.includes(root)) throw new Error(`tells of the inside: ${text}`);
  if ("code" in message && message.code === "internal_error") throw new Error(`an internal error: ${text}`);
  return message;
}

function describe(): string {
  return (fits.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`).join("\n");
}
