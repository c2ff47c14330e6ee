import { z } from "zod";
import { count, duration, text } from "./setting-kinds.ts";

/** The client of PostgreSQL would look for a host with a comma in its name, and no failover would work. */
function hasOneHost(url: string): boolean {
  const [authority = "", ...queries] = url.replace(/^.*?:\/\//, "").split(/[/?]/);
  const hosts = queries.join("&").match(/(?<=(^|&)host=)[^&]*/g) ?? [];
  return ![authority.split("@").at(-1), ...hosts].some((host) => /,|%2c/i.test(host ?? ""));
}

/** The number of a database means nothing to messages, and a query would look as if it had an effect. */
function isRedisUrl(written: string): boolean {
  const url = URL.parse(written);
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === "") return false;
  try {
    return url.search === "" && [url.username, url.password].map(decodeURIComponent).length === 2;
  } catch {
    return false;
  }
}

/** The settings of the stores: the place of the data, how long it is kept, and how much memory it may use. */
export const storageSettings = {
  data: {
    name: "TROUPE_DATA",
    schema: text.default("./data"),
    help: "folder for the server's data",
  },
  store: {
    name: "TROUPE_STORE",
    schema: z.enum(["sqlite", "memory"]).default("sqlite"),
    help: "where requests and conversations are kept: a database in the data folder, or memory only",
  },
  databaseUrl: {
    name: "TROUPE_DATABASE_URL",
    schema: text
      .refine(
        (url) => /^postgres(ql)?:\/\//.test(url),
        "write it as postgres://user:password@host:5432/database",
      )
      .refine(hasOneHost, "it must name one host, such as an address that always leads to the primary")
      .optional(),
    help: "a PostgreSQL database (14 or later) for requests and conversations, in place of TROUPE_STORE; several servers may share it",
  },
  databaseConnections: {
    name: "TROUPE_DATABASE_CONNECTIONS",
    schema: count(3, 1),
    help: "connections of each process to PostgreSQL for reads; it opens 3 more",
  },
  redisUrl: {
    name: "REDIS_URL",
    schema: text
      .refine(isRedisUrl, "write it as redis://user:password@host:6379, or rediss:// with TLS")
      .optional(),
    help: "a Redis (6.2 or later) or Valkey through which servers with the same TROUPE_DATABASE_URL tell each other; it keeps nothing and may be away",
  },
  synchronous: {
    name: "TROUPE_SYNCHRONOUS",
    schema: z.enum(["NORMAL", "FULL"]).default("NORMAL"),
    help: "NORMAL: the database survives a crash of the server; FULL: also one of the machine",
  },
  logRetentionMs: {
    name: "TROUPE_LOG_RETENTION_MS",
    schema: duration(24 * 3_600_000),
    help: "how long an ended request can be resumed event by event; in memory at most 15 minutes",
  },
  answerRetentionMs: {
    name: "TROUPE_ANSWER_RETENTION_MS",
    schema: count(30 * 24 * 3_600_000),
    help: "how long the answer of an ended request can be fetched by its id, from its end; not in memory",
  },
  logBytes: {
    name: "TROUPE_LOG_BYTES",
    schema: count(256 * 1024 ** 2, 1024),
    help: "max memory of all requests' logs",
  },
  conversationBytes: {
    name: "TROUPE_CONVERSATION_BYTES",
    schema: count(64 * 1024 ** 2, 1024),
    help: "max memory of all conversations if they are kept in memory; the least recently used are forgotten first, then the oldest messages",
  },
  usageDays: {
    name: "TROUPE_USAGE_DAYS",
    schema: count(90, 1),
    help: "days after which the usage of single calls is summed up by day",
  },
} as const;
