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
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, bytes) => sum + headBytes(bytes) + bytes, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    const bytes = lengths[index] ?? 0;
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
