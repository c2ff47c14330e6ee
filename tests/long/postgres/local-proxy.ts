import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** A proxy at a port of this machine. */
interface LocalProxy {
  /** The target's URL through the proxy. */
  readonly url: string;
  /** Ends the proxy, and the connections that it carries. */
  close(carried: Iterable<Socket>): Promise<void>;
}

/** Listens in the place of a target; `carry` connects each client. */
export async function openLocalProxy(
  targetUrl: string,
  carry: (client: Socket) => void,
): Promise<LocalProxy> {
  const listener = createServer(carry).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const url = new URL(targetUrl);
  url.port = String((listener.address() as AddressInfo).port);
  return {
    url: url.href,
    async close(carried) {
      const closed = once(listener, "close");
      listener.close();
      for (const socket of carried) socket.destroy();
      await closed;
    },
  };
}
