import { parseArgs } from "node:util";
import { z } from "zod";
import { accessSettings } from "./access-settings.ts";
import { anonymousSettings } from "./anonymous-settings.ts";
import { budgetSettings } from "./budget-settings.ts";
import { limitSettings } from "./limit-settings.ts";
import { count, duration, list } from "./setting-kinds.ts";

interface Setting {
  readonly name: string;
  readonly schema: z.ZodType;
  readonly help: string;
}

/** Every setting: its environment variable, what it may be, and one line of help. The flag is the name in kebab-case. */
const settings = {
  port: {
    name: "PORT",
    schema: z.coerce.number().int().min(0).max(65_535).default(8000),
    help: "port; 0 picks a free one",
  },
  host: {
    name: "HOST",
    schema: z.string().min(1).default("localhost"),
    help: "address to listen on; localhost means both loopback addresses",
  },
  openaiApiKey: {
    name: "OPENAI_API_KEY",
    schema: z.string().min(1).optional(),
    help: "key of the OpenAI API",
  },
  openaiBaseUrl: {
    name: "OPENAI_BASE_URL",
    schema: z.url({ protocol: /^https?$/ }).optional(),
    help: "another server that speaks the Responses API, as http://host:port/v1",
  },
  model: {
    name: "TROUPE_MODEL",
    schema: z.string().min(1).default("gpt-4o-mini"),
    help: "model of requests that name none",
  },
  localProviders: {
    name: "TROUPE_LOCAL_PROVIDERS",
    schema: list.default([
      "http://127.0.0.1:11434/v1",
      "http://127.0.0.1:1234/v1",
      "http://127.0.0.1:8080/v1",
    ]),
    help: "where to look for local models when no key is set, comma-separated; empty looks nowhere",
  },
  data: {
    name: "TROUPE_DATA",
    schema: z.string().min(1).default("./data"),
    help: "folder of what the server keeps",
  },
  store: {
    name: "TROUPE_STORE",
    schema: z.enum(["sqlite", "memory"]).default("sqlite"),
    help: "where requests and conversations are kept: a database in the data folder, or memory only",
  },
  synchronous: {
    name: "TROUPE_SYNCHRONOUS",
    schema: z.enum(["NORMAL", "FULL"]).default("NORMAL"),
    help: "NORMAL: the database survives a crash of the server; FULL: also one of the machine",
  },
  ...accessSettings,
  pacing: {
    name: "TROUPE_PACING",
    schema: z.enum(["natural", "fixed", "raw"]).default("natural"),
    help: "how answers are timed unless the request says: natural, fixed or raw",
  },
  workers: {
    name: "TROUPE_WORKERS",
    schema: count(1, 1).pipe(z.number().max(64)),
    help: "processes that serve the port; they share the database, kept by one more",
  },
  ...limitSettings,
  ...budgetSettings,
  ...anonymousSettings,
  logRetentionMs: {
    name: "TROUPE_LOG_RETENTION_MS",
    schema: duration(24 * 3_600_000),
    help: "how long an ended request can be resumed event by event; in memory at most 15 minutes",
  },
  answerRetentionMs: {
    name: "TROUPE_ANSWER_RETENTION_MS",
    schema: count(30 * 24 * 3_600_000),
    help: "how long the answer of an ended request can be had by its id, from its end; not in memory",
  },
  logBytes: {
    name: "TROUPE_LOG_BYTES",
    schema: count(256 * 1024 ** 2, 1024),
    help: "most memory of all requests' logs",
  },
  conversationBytes: {
    name: "TROUPE_CONVERSATION_BYTES",
    schema: count(64 * 1024 ** 2, 1024),
    help: "max memory of all conversations if they are kept in memory; those used longest ago are forgotten, then the oldest messages",
  },
  contextChars: {
    name: "TROUPE_CONTEXT_CHARS",
    schema: count(60_000, 1),
    help: "most characters of earlier messages that a persona is given",
  },
  firstByteMs: {
    name: "TROUPE_FIRST_BYTE_MS",
    schema: duration(60_000, 1),
    help: "longest wait for a provider's first event",
  },
  idleMs: { name: "TROUPE_IDLE_MS", schema: duration(300_000, 1), help: "longest silence of a provider" },
  turnLimitMs: { name: "TROUPE_TURN_LIMIT_MS", schema: duration(30 * 60_000, 1), help: "longest request" },
  unnamedGraceMs: {
    name: "TROUPE_UNNAMED_GRACE_MS",
    schema: duration(10_000),
    help: "how long a request without an id outlives its socket",
  },
  drainMs: {
    name: "TROUPE_DRAIN_MS",
    schema: duration(10_000),
    help: "how long a stop waits for running requests",
  },
  reconnectSpreadMs: {
    name: "TROUPE_RECONNECT_SPREAD_MS",
    schema: duration(5_000),
    help: "over which time the clients of a server that stops come back, each at its own moment",
  },
  pingMs: {
    name: "TROUPE_PING_MS",
    schema: duration(30_000, 1),
    help: "time between two pings of a socket; a peer that misses two is dropped and may come back",
  },
  logLevel: {
    name: "LOG_LEVEL",
    schema: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
    help: "how much is logged: error, warn, info, debug, silent",
  },
} as const satisfies Record<string, Setting>;

type SettingKey = keyof typeof settings;
/** Settings as the server uses them. Every figure in `...Ms` is milliseconds, in `...Bytes` bytes. */
export type Settings = { readonly [K in SettingKey]: z.output<(typeof settings)[K]["schema"]> };

/** A setting that cannot be used: `message` is one line for whoever started the server. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

const flagOf = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * Reads flags, then the environment, then the defaults; an empty variable counts as absent, except for lists.
 * Throws `SettingError` with one line for an unknown flag or a bad value.
 */
export function readSettings(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Settings & { readonly help: boolean } {
  const flags = readFlags(args);
  const result: Record<string, unknown> = { help: flags.help === true };
  for (const [key, { name, schema }] of Object.entries(settings)) {
    const flagValue = flags[flagOf(key)];
    const value = flagValue ?? (env[name] === "" && key !== "localProviders" ? undefined : env[name]);
    const parsed = (schema as z.ZodType).safeParse(value);
    if (!parsed.success) {
      const from = flagValue === undefined ? name : `--${flagOf(key)}`;
      throw new SettingError(`${from}: ${parsed.error.issues[0]?.message ?? "bad value"}`);
    }
    result[key] = parsed.data;
  }
  return result as Settings & { readonly help: boolean };
}

function readFlags(args: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(
    Object.keys(settings).map((key) => [flagOf(key), { type: "string" as const }]),
  );
  try {
    const help = { help: { type: "boolean" as const, short: "h" } };
    return parseArgs({ args: [...args], options: { ...options, ...help }, strict: true }).values;
  } catch (error) {
    throw new SettingError(error instanceof Error ? (error.message.split(". ")[0] ?? "") : "bad arguments");
  }
}

/** The defaults, for embedding: what an environment without variables gives. */
export function defaultSettings(): Settings {
  return readSettings([], {});
}

/** Every setting as documentation shows it; `fallback` is empty where there is no default. */
export function listSettings(): { name: string; flag: string; fallback: string; help: string }[] {
  const fallbacks: Record<string, unknown> = { ...defaultSettings() };
  return Object.entries(settings).map(([key, { name, help }]) => ({
    name,
    flag: `--${flagOf(key)}`,
    fallback: String(fallbacks[key] ?? ""),
    help,
  }));
}

/** The text of `--help`. */
export function settingsHelp(): string {
  const rows = listSettings().map(({ name, flag, fallback, help }) => {
    const shown = fallback === "" ? "" : ` (default ${fallback})`;
    return `${`  ${flag} VALUE`.padEnd(42)}${name}\n      ${help}${shown}`;
  });
  return [
    "Usage: troupe [flags]",
    "",
    "Every flag can be set by the environment variable beside it.",
    "",
    ...rows,
  ].join("\n");
}
