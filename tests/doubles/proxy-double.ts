import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

/** A request to the proxy: a call that it passes on, or a tunnel. */
export interface ProxiedCall {
  readonly method: string;
  readonly target: string;
  readonly authorization: string | undefined;
}

export interface ProxyDouble extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly calls: readonly ProxiedCall[];
  /** Connections that were made to it. */
  readonly connections: number;
}

/**
 * A small HTTP proxy on this machine. It sends every call to one upstream and ignores the call's host. Without an
 * upstream it refuses with 407 and repeats the credentials that it was shown, as badly written proxies do.
 */
export async function createProxyDouble(upstream?: string): Promise<ProxyDouble> {
  const calls: ProxiedCall[] = [];
  const server = createServer((asked, response) => {
    const { method = "", url = "", headers } = asked;
    const authorization = headers["proxy-authorization"];
    calls.push({ method, target: url, authorization });
    if (upstream === undefined) {
      response.statusCode = 407;
      response.end(`not with ${authorization} (${Buffer.from(authorization?.slice(6) ?? "", "base64")})`);
      return;
    }
    const { pathname } = new URL(url);
    const { "proxy-authorization": _, host: __, ...passed } = headers;
    const onward = request(new URL(pathname, upstream), { method, headers: passed }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    // If one side closes, the other is closed too.
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    asked.pipe(onward);
  });
  server.on("connect", ({ method = "", url = "", headers }, socket) => {
    const authorization = headers["proxy-authorization"];
    calls.push({ method, target: url, authorization });
    socket.end(`HTTP/1.1 407 not with ${authorization}\r\n\r\n`);
  });
  let connections = 0;
  server.on("connection", () => {
    connections += 1;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
