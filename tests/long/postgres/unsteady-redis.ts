import { connect, type Socket } from "node:net";
import type { SeededRandom } from "../../crash/seeded-random.ts";
import { openLocalProxy } from "./local-proxy.ts";

/** A proxy before a Redis whose published messages get lost, come twice, or come after later ones. */
export interface UnsteadyRedis extends AsyncDisposable {
  /** The Redis's URL through the proxy. */
  readonly url: string;
  upset(): void;
  /** From now on messages pass as they come. */
  calm(): void;
  /** The messages so far that had each fate. */
  readonly counts: Readonly<Record<Fate, number>>;
}

const fates = ["passed", "lost", "doubled", "late"] as const;
type Fate = (typeof fates)[number];

const published = Buffer.from("*3\r\n$7\r\nmessage\r\n");

/** The end of the value of Redis's protocol that starts there; `undefined` if it is not there yet. */
function endOfValue(bytes: Buffer, start: number): number | undefined {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd === -1) return undefined;
  const count = Number(bytes.toString("latin1", start + 1, lineEnd));
  let end: number | undefined = lineEnd + 2;
  const kind = bytes.toString("latin1", start, start + 1);
  if (kind === "$" && count >= 0) end += count + 2;
  if (kind === "*")
    for (let item = 0; item < count && end !== undefined; item += 1) end = endOfValue(bytes, end);
  return end !== undefined && end <= bytes.length ? end : undefined;
}

export async function createUnsteadyRedis(targetUrl: string, random: SeededRandom): Promise<UnsteadyRedis> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  const counts = { passed: 0, lost: 0, doubled: 0, late: 0 };
  let isUpset = false;

  function carry(client: Socket): void {
    const server = connect({ port: Number(target.port), host: "127.0.0.1" });
    let rest: Buffer = Buffer.alloc(0);
    let late: readonly Buffer[] = [];

    function deliver(value: Buffer): void {
      const isPublished = value.subarray(0, published.length).equals(published);
      const fate = isUpset && isPublished ? random.pick(fates) : "passed";
      if (isPublished) counts[fate] += 1;
      if (fate === "late") {
        late = [...late, value];
        return;
      }
      const now = fate === "lost" ? [] : fate === "doubled" ? [value, value] : [value];
      // The last one that waited comes first.
      for (const each of [...now, ...late.toReversed()]) client.write(each);
      late = [];
    }

    server.on("data", (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      for (let end = endOfValue(rest, 0); end !== undefined; end = endOfValue(rest, 0)) {
        const value = rest.subarray(0, end);
        rest = rest.subarray(end);
        deliver(value);
      }
    });
    client.on("data", (bytes: Buffer) => void server.write(bytes));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true).on("error", () => undefined);
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  }

  const proxy = await openLocalProxy(targetUrl, carry);
  return {
    url: proxy.url,
    counts,
    upset() {
      isUpset = true;
    },
    calm() {
      isUpset = false;
    },
    [Symbol.asyncDispose]: () => proxy.close(sockets),
  };
}
