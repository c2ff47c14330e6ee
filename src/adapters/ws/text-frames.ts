const finalText = 0x81;
/** A length that fits into the second byte. */
const shortBytes = 125;
/** A length that fits into two more bytes; a longer one takes eight. */
const mediumBytes = 0xffff;

function headBytes(payloadBytes: number): number {
  if (payloadBytes <= shortBytes) return 2;
  return payloadBytes <= mediumBytes ? 4 : 10;
}

/** Writes the head of a text message (RFC 6455, section 5.2: one final, unmasked frame); where its payload begins. */
function writeHead(frames: Buffer, at: number, payloadBytes: number): number {
  frames[at] = finalText;
  if (payloadBytes <= shortBytes) {
    frames[at + 1] = payloadBytes;
  } else if (payloadBytes <= mediumBytes) {
    frames[at + 1] = 126;
    frames.writeUInt16BE(payloadBytes, at + 2);
  } else {
    frames[at + 1] = 127;
    frames.writeBigUInt64BE(BigInt(payloadBytes), at + 2);
  }
  return at + headBytes(payloadBytes);
}

/**
 * Whole text messages as a server sends them, one behind the other in one piece of memory: `ws` makes two of every message and a list
 * of all, which costs more than everything else that happens to a chunk.
 */
export function encodeTextFrames(texts: readonly string[]): Buffer {
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, bytes) => sum + headBytes(bytes) + bytes, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at = writeHead(frames, at, lengths[index] ?? 0);
    at += frames.write(text, at, "utf8");
  }
  return frames;
}

/** What stands before a payload that is written by itself, because other sockets write the same memory. */
export function encodeTextHead(payloadBytes: number): Buffer {
  const head = Buffer.alloc(headBytes(payloadBytes));
  writeHead(head, 0, payloadBytes);
  return head;
}
