const finalText = 0x81;
/** Max length that fits into the second byte. */
const shortBytes = 125;
/** Max length that fits into two more bytes; a longer one takes eight. */
const mediumBytes = 0xffff;

function headBytes(payloadBytes: number): number {
  if (payloadBytes <= shortBytes) return 2;
  return payloadBytes <= mediumBytes ? 4 : 10;
}

/** Writes the head of a text message (RFC 6455, section 5.2: one final, unmasked frame). Returns where its payload starts. */
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
 * Encodes whole text messages, one after the other in one piece of memory. `ws` makes two pieces of every message and a list of all,
 * which costs more than all other work on a chunk.
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

/** The head of a payload that is written separately, because other sockets write the same memory. */
export function encodeTextHead(payloadBytes: number): Buffer {
  const head = Buffer.alloc(headBytes(payloadBytes));
  writeHead(head, 0, payloadBytes);
  return head;
}
