const finalText = 0x81;
/** A length that fits into the second byte. */
const shortBytes = 125;
/** A length that fits into two more bytes; a longer one takes eight. */
const mediumBytes = 0xffff;

function headBytes(payloadBytes: number): number {
  if (payloadBytes <= shortBytes) return 2;
  return payloadBytes <= mediumBytes ? 4 : 10;
}

/**
 * Whole text messages as a server sends them (RFC 6455, section 5.2: one final, unmasked frame each), one behind the other in one piece
 * of memory: `ws` makes two of every message and a list of all, which costs more than everything else that happens to a chunk.
 */
export function encodeTextFrames(texts: readonly string[]): Buffer {
  let size = 0;
  for (const text of texts) {
    const bytes = Buffer.byteLength(text);
    size += headBytes(bytes) + bytes;
  }
  const frames = Buffer.allocUnsafe(size);
  let at = 0;
  for (const text of texts) {
    // Counting again costs less than a list of what was counted.
    const bytes = Buffer.byteLength(text);
    frames[at] = finalText;
    if (bytes <= shortBytes) {
      frames[at + 1] = bytes;
    } else if (bytes <= mediumBytes) {
      frames[at + 1] = 126;
      frames.writeUInt16BE(bytes, at + 2);
    } else {
      frames[at + 1] = 127;
      frames.writeBigUInt64BE(BigInt(bytes), at + 2);
    }
    at += headBytes(bytes);
    at += frames.write(text, at, "utf8");
  }
  return frames;
}
