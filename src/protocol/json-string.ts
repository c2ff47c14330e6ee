const quote = 0x22;
const backslash = 0x5c;
/** Characters of a string that are read one by one before V8 is asked for its end. */
const askAfterChars = 64;

/**
 * The place of the quote that ends the JSON string at `start`; -1 if there is none. In a long string V8 searches for the next quote, many
 * characters at a time. In a short string the call would cost more than it saves.
 */
export function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const stop = Math.min(at + askAfterChars, text.length);
    for (; at < stop; at += 1) {
      const code = text.charCodeAt(at);
      if (code === quote) return at;
      if (code === backslash) at += 1;
    }
    const end = text.indexOf('"', at);
    if (end === -1) return -1;
    let backslashes = 0;
    while (end - backslashes > at && text.charCodeAt(end - backslashes - 1) === backslash) backslashes += 1;
    if (backslashes % 2 === 0) return end;
    at = end + 1;
  }
  return -1;
}
