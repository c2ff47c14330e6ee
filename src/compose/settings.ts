import { z } from "zod";
import { inPlainWords, predicate } from "../protocol/plain-words.ts";
import { accessSettings } from "./access-settings.ts";
import { anonymousSettings } from "./anonymous-settings.ts";
import { budgetSettings } from "./budget-settings.ts";
import { limitSettings } from "./limit-settings.ts";
import { providerSettings } from "./provider-settings.ts";
import { count, duration, type Setting, text } from "./setting-kinds.ts";
import { whyUnclean } from "./unclean-value.ts";

/** Every setting: its environment variable, its allowed values, and one line of help. The flag is the name in kebab-case. */
const settings = {
  port: {
    name: "PORT",
    schema: z.coerce.number().int().min(0).max(65_535).default(8000),
    help: "port; 0 picks a free one",
  },
  host: {
    name: "HOST",
    schema: text.default("localhost"),
    help: "address to listen on; localhost means both loopback addresses",
  },
  ...providerSettings,
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
    schema: z.coerce.number().int().min(1).max(64).default(1),
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
  contextChars: {
    name: "TROUPE_CONTEXT_CHARS",
    schema: count(60_000, 1),
    help: "max characters of earlier messages that a persona is given",
  },
  turnLimitMs: {
    name: "TROUPE_TURN_LIMIT_MS",
    schema: duration(30 * 60_000, 1),
    help: "max duration of a request",
  },
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
    help: "time over which the clients of a stopping server reconnect, each at a random moment",
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

export type SettingKey = keyof typeof settings;
/** Settings as the server uses them. Every figure in `...Ms` is milliseconds, in `...Bytes` bytes. */
export type Settings = { readonly [K in SettingKey]: z.output<(typeof settings)[K]["schema"]> };

/** An unusable setting. `message` is one line for the operator. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

export interface NamedSetting extends Setting {
  /** Its name in `Settings`. */
  readonly key: SettingKey;
  /** The key in kebab-case, without the dashes before it. */
  readonly flag: string;
}

export const allSettings: readonly NamedSetting[] = (Object.keys(settings) as SettingKey[]).map((key) => ({
  ...settings[key],
  key,
  flag: key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
}));

/** Reads a value by the setting's schema. Throws a `SettingError` that starts with `from`, the name under which the value was given. */
export function readValue(setting: Setting, value: unknown, from: string): unknown {
  const isFigure = typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
  const given = isFigure ? value.trim() : value;
  const unclean = typeof given === "string" ? whyUnclean(given, setting) : undefined;
  if (unclean !== undefined) throw new SettingError(`${from}: ${unclean}`);
  const parsed = setting.schema.safeParse(given, { error: inPlainWords });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SettingError(`${from}: ${issue === undefined ? "it is not valid" : sentenceOf(issue)}`);
}

function sentenceOf({ code, message, path: [entry] }: z.core.$ZodIssue): string {
  if (code === "custom") return message;
  const subject = typeof entry === "number" ? `entry ${entry + 1}` : "it";
  // Values of variables have no quotes around them.
  return `${subject} ${predicate(message).replaceAll('"', "")}`;
}

/** The defaults, for embedding: the settings of an empty environment. */
export function defaultSettings(): Settings {
  const values = allSettings.map((setting) => [setting.key, readValue(setting, undefined, setting.name)]);
  return Object.fromEntries(values) as Settings;
}

/** Every setting as documentation shows it; `fallback` is empty if there is no default. */
export function listSettings(): { name: string; flag: string; fallback: string; help: string }[] {
  const fallbacks = defaultSettings();
  return allSettings.map(({ key, name, flag, help }) => ({
    name,
    flag: `--${flag}`,
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
    "Every flag can be set by the environment variable beside it, and by a line NAME=value of the file .env in the working folder.",
    "A flag goes before the environment, and the environment before the file.",
    "",
    ...rows,
  ].join("\n");
}
