import { endOfString } from "../../protocol/scan-json.ts";

/** The ends of values in JSON text that was not parsed. Every function takes the place where the value starts. */

const zero = 0x30;
const nine = 0x39;
const space = 0x20;
const tab = 0x09;

/** The end of an integer without a sign; -1 if there is none. */
export function endOfNumber(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code >= zero && code <= nine; code = text.charCodeAt(at)) at += 1;
  if (at === start || (text.charCodeAt(start) === zero && at > start + 1)) return -1;
  return at;
}

/** The end of white space inside a line. */
export function endOfSpaces(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code === space || code === tab; code = text.charCodeAt(at)) at += 1;
  return at;
}

/** The end of any value; -1 if it has none. */
export function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      at = endOfString(text, at);
      if (at < 0) return -1;
      if (depth === 0) return at + 1;
    } else if (char === "{" || char === "[") {
      depth += 1;
    } else if (char === "}" || char === "]") {
      // At depth 0 it closes the object around a number or a word.
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (char === "," || char === " " || char === "\t")) {
      return at;
    }
  }
  return -1;
}
