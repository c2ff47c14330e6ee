/** One complete HTTP request as it arrived. Header names are in lower case; repeated headers are joined by a comma. */
export interface ReceivedMessage {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The peer does not send HTTP/1.1 but, for example, a TLS handshake. */
export class NotHttpError extends Error {}

/** Takes a socket's bytes and returns the requests that they completed. Throws `NotHttpError`. */
export interface RequestReader {
  push(received: Buffer): ReceivedMessage[];
}

const maxHeadBytes = 65_536;
const requestLine = /^([A-Z]+) (\S+) HTTP\/1\.1$/;

/** Returns a reader for the requests of one connection: bodies with a length or in chunks, one after another. */
export function createRequestReader(): RequestReader {
  let waiting = Buffer.alloc(0);

  return {
    push(received) {
      waiting = Buffer.concat([waiting, received]);
      const complete: ReceivedMessage[] = [];
      for (let next = takeRequest(waiting); next !== undefined; next = takeRequest(waiting)) {
        complete.push(next.message);
        waiting = waiting.subarray(next.bytes);
      }
      return complete;
    },
  };
}

function takeRequest(bytes: Buffer): { message: ReceivedMessage; bytes: number } | undefined {
  if (bytes.length === 0) return undefined;
  // Without this check, the reader would wait for ever after the first bytes of a TLS handshake.
  if (!/[A-Z]/.test(String.fromCharCode(bytes[0] ?? 0))) throw new NotHttpError("not an HTTP request");
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) {
    if (bytes.length > maxHeadBytes) throw new NotHttpError("request head too long");
    return undefined;
  }
  const [first = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const [, method, path] = requestLine.exec(first) ?? [];
  if (method === undefined || path === undefined)
    throw new NotHttpError(`not an HTTP/1.1 request line: ${first}`);
  const headers = parseHeaders(lines);
  const bodyStart = headEnd + 4;
  const body = headers["transfer-encoding"]?.toLowerCase().includes("chunked")
    ? takeChunks(bytes, bodyStart)
    : takeLength(bytes, bodyStart, Number(headers["content-length"] ?? 0));
  if (body === undefined) return undefined;
  return { message: { method, path, headers, body: body.content }, bytes: body.end };
}

function parseHeaders(lines: readonly string[]): Record<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new NotHttpError(`not a header line: ${line}`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const earlier = headers.get(name);
    headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return Object.fromEntries(headers);
}

function takeLength(
  bytes: Buffer,
  start: number,
  length: number,
): { content: Buffer; end: number } | undefined {
  if (!Number.isInteger(length) || length < 0) throw new NotHttpError("content-length is not a number");
  const end = start + length;
  return bytes.length < end ? undefined : { content: Buffer.from(bytes.subarray(start, end)), end };
}

function takeChunks(bytes: Buffer, start: number): { content: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  let position = start;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", position);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", position, lineEnd), 16);
    if (Number.isNaN(size)) throw new NotHttpError("not a chunk size");
    const chunkEnd = lineEnd + 2 + size + 2;
    if (bytes.length < chunkEnd) return undefined;
    if (size === 0) return { content: Buffer.concat(chunks), end: chunkEnd };
    chunks.push(bytes.subarray(lineEnd + 2, chunkEnd - 2));
    position = chunkEnd;
  }
}
