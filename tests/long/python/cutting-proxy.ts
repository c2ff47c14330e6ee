import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";

/**
 * A TCP proxy that cuts each of its first connections after a number of bytes from the server. Once `deaf` is aborted, it
 * drops the client's bytes, and `unheard` settles when it has dropped some. Connections after the first go to `laterUrl`;
 * `header` is added to each handshake.
 */
export async function startCuttingProxy(
  url: string,
  cutAfterBytes: number[],
  { laterUrl = url, header }: { readonly laterUrl?: string; readonly header?: string } = {},
) {
  let next = url;
  const deaf = new AbortController();
  const { promise: unheard, resolve: hush } = Promise.withResolvers<void>();
  const server = createServer((client) => {
    let leftBytes = cutAfterBytes.shift() ?? Number.POSITIVE_INFINITY;
    const upstream = connectTcp(Number(new URL(next).port), "127.0.0.1");
    next = laterUrl;
    // The header goes directly after the request line, which is in the first packet.
    client.once("data", (bytes) => {
      upstream.write(header === undefined ? bytes : `${bytes}`.replace("\r\n", `\r\n${header}\r\n`));
      client.on("data", (more) => (deaf.signal.aborted ? hush() : upstream.write(more)));
    });
    client.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
    upstream.on("error", () => client.destroy()).on("close", () => client.end());
    upstream.once("data", (handshake) => {
      client.write(handshake);
      upstream.on("data", (bytes) => {
        client.write(bytes.subarray(0, leftBytes));
        leftBytes -= bytes.length;
        if (leftBytes <= 0) upstream.destroy();
      });
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}/ws`, deaf, unheard, [Symbol.dispose]: () => void server.close() };
}
