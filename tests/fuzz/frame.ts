import { isUtf8 } from "node:buffer";
import { toStringMethod } from "fast-check";
import { wireLimits } from "../../src/protocol/limits.ts";

/** One WebSocket message as a client sends it, right or wrong. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly binary: boolean;
  /** The number of pieces it is sent in; at most one for each byte. */
  readonly fragments: number;
  /** For reports of fast-check, which would otherwise print every byte. */
  readonly [toStringMethod]: () => string;
}

/** Maximum characters of a frame in a report. */
const shownChars = 300;

/**
 * A text frame. A string is encoded as UTF-8, with lone surrogates as U+FFFD. Bytes are sent unchanged, even if they are
 * not valid UTF-8.
 */
export function textFrame(content: string | Uint8Array, fragments = 1): Frame {
  return frame(typeof content === "string" ? Buffer.from(content) : content, false, fragments);
}

export function binaryFrame(content: string | Uint8Array): Frame {
  return frame(typeof content === "string" ? Buffer.from(content) : content, true, 1);
}

function frame(bytes: Uint8Array, binary: boolean, fragments: number): Frame {
  return { bytes, binary, fragments, [toStringMethod]: () => describe(bytes, binary, fragments) };
}

function describe(bytes: Uint8Array, binary: boolean, fragments: number): string {
  const kind = `${binary ? "binary" : "text"} frame, ${bytes.length} bytes`;
  const pieces = fragments > 1 ? ` in ${fragments} pieces` : "";
  const text = JSON.stringify(Buffer.from(bytes).toString("utf8").slice(0, shownChars));
  return `${kind}${pieces}${isUtf8(bytes) ? "" : ", not UTF-8"}: ${text}`;
}

/**
 * The code with which a server has to close on such a frame (RFC 6455, section 7.4.1); `undefined` if the connection must
 * stay open.
 */
export function closeCodeOf({ bytes, binary, fragments }: Frame): number | undefined {
  if (fragments > wireLimits.messageFragments) return 1008;
  if (bytes.length > wireLimits.messageBytes) return 1009;
  return binary || isUtf8(bytes) ? undefined : 1007;
}
