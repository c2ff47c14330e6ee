import { hash } from "node:crypto";

/** SHA-256 of a text in UTF-8, in hexadecimal. Synchronous, because handing a short text to another thread costs ten times as much. */
export function sha256(text: string): string {
  return hash("sha256", text);
}
