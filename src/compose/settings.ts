import type { z } from "zod";
import { inPlainWords, predicate } from "../protocol/fault-in.ts";
import { accessSettings } from "./access-settings.ts";
import { anonymousSettings } from "./anonymous-settings.ts";
import { answerSettings } from "./answer-settings.ts";
import { budgetSettings } from "./budget-settings.ts";
import { limitSettings } from "./limit-settings.ts";
import { providerSettings } from "./provider-settings.ts";
import { serverSettings } from "./server-settings.ts";
import type { Setting } from "./setting-kinds.ts";
import { storageSettings } from "./storage-settings.ts";
import { whyUnclean } from "./unclean-value.ts";
import { vendorSettings } from "./vendor-settings.ts";

/** Every setting, in the groups and the order of the documentation. */
const groups = [
  { title: "Server", settings: serverSettings },
  { title: "Providers", settings: providerSettings },
  { title: "Keys of vendors", settings: vendorSettings },
  { title: "Answers", settings: answerSettings },
  { title: "Storage", settings: storageSettings },
  { title: "Keys and access", settings: accessSettings },
  { title: "Limits", settings: limitSettings },
  { title: "Budgets", settings: budgetSettings },
  { title: "Callers without keys", settings: anonymousSettings },
] as const satisfies readonly { readonly title: string; readonly settings: Record<string, Setting> }[];

/** The intersection of the members of a union. */
type AllOf<Union> = (Union extends unknown ? (member: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;
type AllSettings = AllOf<(typeof groups)[number]["settings"]>;

export type SettingKey = keyof AllSettings;
/** Settings as the server uses them. Every figure in `...Ms` is milliseconds, in `...Bytes` bytes. */
export type Settings = { readonly [K in SettingKey]: z.output<AllSettings[K]["schema"]> };

/** An unusable setting. `message` is one line for the operator. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

export interface NamedSetting extends Setting {
  /** The title of its group. */
  readonly group: string;
  /** Its name in `Settings`. */
  readonly key: SettingKey;
  /** The key in kebab-case, without the dashes before it. */
  readonly flag: string;
}

export const allSettings: readonly NamedSetting[] = groups.flatMap(({ title, settings }) =>
  Object.entries<Setting>(settings).map(([key, setting]) => ({
    ...setting,
    group: title,
    key: key as SettingKey,
    flag: key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  })),
);

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

let defaults: Settings | undefined;

/** The defaults, for embedding: the settings of an empty environment. They are read once. */
export function defaultSettings(): Settings {
  defaults ??= Object.fromEntries(
    allSettings.map((setting) => [setting.key, readValue(setting, undefined, setting.name)]),
  ) as Settings;
  return defaults;
}

/** A setting as documentation shows it; `fallback` is empty if there is no default. */
interface ShownSetting {
  readonly group: string;
  readonly name: string;
  readonly flag: string;
  readonly fallback: string;
  readonly help: string;
}

/** Every setting as documentation shows it, a group after the other. */
export function listSettings(): readonly ShownSetting[] {
  const fallbacks = defaultSettings();
  return allSettings.map(({ key, group, name, flag, help }) => ({
    group,
    name,
    flag: `--${flag}`,
    fallback: String(fallbacks[key] ?? ""),
    help,
  }));
}

/** The text of `--help`. */
export function settingsHelp(): string {
  const parts = [...Map.groupBy(listSettings(), ({ group }) => group)].map(([title, shown]) =>
    [`${title}:`, ...shown.map(helpRow)].join("\n"),
  );
  const usage = [
    "Usage: troupe [flags]                starts the server",
    "       troupe backup FILE [flags]    copies the database to a new file, also while the server runs",
    "       troupe doctor [flags]         tells which providers can answer, with a remedy for the others",
    "",
    "Every flag can be set by the environment variable beside it, and by a line NAME=value of the file .env in the working folder.",
    "A flag goes before the environment, and the environment before the file.",
  ];
  return [usage.join("\n"), ...parts].join("\n\n");
}

function helpRow({ name, flag, fallback, help }: ShownSetting): string {
  const shown = fallback === "" ? "" : ` (default ${fallback})`;
  return `${`  ${flag} VALUE`.padEnd(42)}${name}\n      ${help}${shown}`;
}
