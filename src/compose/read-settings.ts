import { readFlags } from "./read-flags.ts";
import { settingNotes } from "./setting-notes.ts";
import {
  allSettings,
  defaultSettings,
  type NamedSetting,
  readValue,
  type SettingKey,
  type Settings,
} from "./settings.ts";

/** The sources of settings beside the command line. */
interface SettingSources {
  readonly env: NodeJS.ProcessEnv;
  /** The variables of the file `.env`. */
  readonly fileEnv?: NodeJS.ProcessEnv;
}

interface ReadSettings {
  readonly settings: Settings;
  /** One line for each misspelt variable, and for each setting without effect. */
  readonly notes: readonly string[];
}

/**
 * Reads flags, then the environment, then the file `.env`, then the defaults. An empty value counts as absent, except for the list of
 * local providers. Throws a `SettingError` with one line for an unknown flag or a bad value.
 */
export function readSettings(args: readonly string[], { env, fileEnv = {} }: SettingSources): ReadSettings {
  const { values: flags } = readFlags(args);
  const settings: Record<string, unknown> = { ...defaultSettings() };
  const given = new Map<SettingKey, string>();
  for (const setting of allSettings) {
    const source = find(setting, flags, env, fileEnv);
    if (source === undefined || (source.value.trim() === "" && setting.key !== "localProviders")) continue;
    settings[setting.key] = readValue(setting, source.value, source.from);
    given.set(setting.key, source.from);
  }
  const read = settings as unknown as Settings;
  return { settings: read, notes: settingNotes({ env, fileEnv, given, settings: read }) };
}

function find(
  { name, lowerCaseToo, flag }: NamedSetting,
  flags: ReadonlyMap<string, string>,
  env: NodeJS.ProcessEnv,
  fileEnv: NodeJS.ProcessEnv,
): { readonly value: string; readonly from: string } | undefined {
  const flagValue = flags.get(flag);
  if (flagValue !== undefined) return { value: flagValue, from: `--${flag}` };
  const names = lowerCaseToo === true ? [name.toLowerCase(), name] : [name];
  for (const [variables, where] of [
    [env, ""],
    [fileEnv, " in .env"],
  ] as const)
    for (const variable of names) {
      const value = variables[variable];
      if (value !== undefined) return { value, from: `${variable}${where}` };
    }
  return undefined;
}

/**
 * Completes the options of an embedding program with the defaults. Text and figures are checked by the same schemas as variables, and
 * `undefined` counts as absent. Throws a `SettingError` that names the option.
 */
export function completeSettings(options: Partial<Settings>): Settings {
  const settings: Record<string, unknown> = { ...defaultSettings() };
  for (const setting of allSettings) {
    const value: unknown = options[setting.key];
    if (value === undefined) continue;
    const isWritten = typeof value === "string" || typeof value === "number";
    settings[setting.key] = isWritten ? readValue(setting, value, setting.key) : value;
  }
  return settings as unknown as Settings;
}
