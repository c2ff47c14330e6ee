import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type CommitAnswers, createCommitAnswers } from "./commit-answers.ts";
import { openLocalProxy } from "./local-proxy.ts";

/** A proxy before a database or a Redis whose answers, or whose statements, stay on the way. */
export interface FaultyProxy extends AsyncDisposable {
  /** The database's URL through the proxy. */
  readonly url: string;
  /** From now on, nothing that the database answers on the open connections arrives. */
  swallow(): void;
  /** Answers of commits that have been swallowed on connections that are not broken yet. */
  readonly swallowedCommits: number;
  /** Answers of commits that were swallowed on connections that then broke. */
  readonly lostCommits: number;
  /** From now on, statements on the open connections wait here. Settles when the next one has come. */
  hold(): Promise<void>;
  /**
   * From now on nothing of this way passes, neither on the open connections nor on new ones, and the database notices no closed one.
   * Without `statements` nothing arrives there, without `answers` nothing comes back.
   */
  block(way: "statements" | "answers"): void;
  /** As without `statements`, with which no answer can come either. */
  freeze(): void;
  /** Ends a block. The connections that it held break on both sides. */
  heal(): void;
  /** From now on new connections are open again. */
  thaw(): void;
  /** From now on new connections lead to another server, which has the same database. */
  leadTo(otherUrl: string): void;
  /** Breaks the open connections for the clients only. */
  cut(): void;
  /** Delivers the waiting statements; settles when the database has answered them and has closed their connections. */
  release(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly kept: Buffer[];
  way: "open" | "swallowed" | "held";
  onKept: () => void;
  /** Counts nothing at a Redis. */
  readonly answers: CommitAnswers | undefined;
  swallowedCommits: number;
}

export async function createFaultyProxy(targetUrl: string): Promise<FaultyProxy> {
  let target = new URL(targetUrl);
  const isPostgres = target.protocol.startsWith("postgres");
  const pairs = new Set<Pair>();
  let lostCommits = 0;

  let wayOfNew: Pair["way"] = "open";

  function carry(client: Socket): void {
    const server = connect({ port: Number(target.port), host: "127.0.0.1" });
    const pair: Pair = {
      ...{ client, server, kept: [], way: wayOfNew, onKept: () => undefined },
      ...{ answers: isPostgres ? createCommitAnswers() : undefined, swallowedCommits: 0 },
    };
    pairs.add(pair);
    client.on("data", (bytes: Buffer) => {
      if (pair.way !== "held") {
        pair.answers?.sent(bytes);
        return void server.write(bytes);
      }
      pair.kept.push(bytes);
      pair.onKept();
    });
    server.on("data", (bytes: Buffer) => {
      const commits = pair.answers?.answered(bytes) ?? 0;
      if (pair.way === "open") client.write(bytes);
      else pair.swallowedCommits += commits;
    });
    for (const socket of [client, server]) socket.setNoDelay(true).on("error", () => undefined);
    client.on("close", () => {
      if (pair.way === "open") server.destroy();
      lostCommits += pair.swallowedCommits;
      pair.swallowedCommits = 0;
    });
    server.on("close", () => {
      pairs.delete(pair);
      client.destroy();
    });
  }

  function block(way: "statements" | "answers"): void {
    wayOfNew = way === "statements" ? "held" : "swallowed";
    for (const pair of pairs) pair.way = wayOfNew;
  }

  const proxy = await openLocalProxy(targetUrl, carry);

  return {
    url: proxy.url,
    swallow() {
      for (const pair of pairs) if (pair.way === "open") pair.way = "swallowed";
    },
    get swallowedCommits() {
      return [...pairs].reduce((sum, pair) => sum + pair.swallowedCommits, 0);
    },
    get lostCommits() {
      return lostCommits;
    },
    hold() {
      return new Promise((resolve) => {
        for (const pair of pairs) Object.assign(pair, { way: "held", onKept: resolve });
      });
    },
    block,
    freeze: () => block("statements"),
    heal() {
      wayOfNew = "open";
      for (const { way, client, server } of pairs)
        if (way !== "open") for (const socket of [client, server]) socket.destroy();
    },
    thaw() {
      wayOfNew = "open";
    },
    leadTo(otherUrl) {
      target = new URL(otherUrl);
    },
    cut() {
      for (const { client } of pairs) client.destroy();
    },
    async release() {
      const held = [...pairs].filter(({ kept }) => kept.length > 0);
      await Promise.all(
        held.map(async ({ server, kept }) => {
          const closed = once(server, "close");
          server.end(Buffer.concat(kept));
          await closed;
        }),
      );
    },
    [Symbol.asyncDispose]: () => proxy.close([...pairs].flatMap(({ client, server }) => [client, server])),
  };
}
