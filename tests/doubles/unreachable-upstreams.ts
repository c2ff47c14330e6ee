import { createServer } from "node:net";
import type { FaultShape } from "./fault-shape.ts";

function unreachable(name: string, note: string, baseUrl: NonNullable<FaultShape["baseUrl"]>): FaultShape {
  return {
    name,
    moments: ["before"],
    script: () => [],
    baseUrl,
    text: () => "",
    expect: {
      outcome: "error",
      code: "upstream_unreachable",
      retriesAllowed: true,
      retryExpected: true,
      note,
    },
  };
}

/** A port of 127.0.0.1 that was free a moment ago, so a connection to it is refused. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return address.port;
}

/** Addresses at which no server answers. */
export const unreachableUpstreams: readonly FaultShape[] = [
  unreachable("connection-refused", "nobody listens on the port", async () => {
    return `http://127.0.0.1:${await closedPort()}/v1`;
  }),
  unreachable("name-not-found", "a host name that never resolves (RFC 6761)", async () => {
    return "http://upstream.invalid/v1";
  }),
  unreachable("tls-refused", "a TLS handshake with a port that does not speak TLS", async (doubleBaseUrl) => {
    return doubleBaseUrl.replace("http:", "https:");
  }),
];
