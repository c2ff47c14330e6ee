/** The place of a frame's payload in a buffer. The frame was sent by a server. */
export interface Frame {
  readonly opcode: number;
  readonly start: number;
  readonly end: number;
}

export const opcodes = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** The frame that starts at `offset`, if it is complete (RFC 6455, section 5.2; a server's frames are not masked). */
export function readFrame(data: Buffer, offset: number): Frame | undefined {
  if (data.length < offset + 2) return undefined;
  const opcode = (data[offset] ?? 0) & 0x0f;
  const short = (data[offset + 1] ?? 0) & 0x7f;
  const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
  const start = offset + 2 + lengthBytes;
  if (data.length < start) return undefined;
  const length =
    lengthBytes === 0 ? short : data.readUIntBE(start - Math.min(6, lengthBytes), Math.min(6, lengthBytes));
  return data.length < start + length ? undefined : { opcode, start, end: start + length };
}

/** A client's frame. Its mask is zero, so the payload stays as it is. */
export function composeFrame(opcode: number, payload: Buffer): Buffer {
  const length = payload.length;
  const head = length < 126 ? Buffer.alloc(6) : Buffer.alloc(8);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | Math.min(length, 126);
  if (length >= 126) head.writeUInt16BE(length, 2);
  return Buffer.concat([head, payload]);
}
