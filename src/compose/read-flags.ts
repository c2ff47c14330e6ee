import { parseArgs } from "node:util";
import { nearestName } from "./nearest-name.ts";
import { allSettings, SettingError } from "./settings.ts";

interface Flags {
  readonly help: boolean;
  /** By the name of the flag, without the dashes. */
  readonly values: ReadonlyMap<string, string>;
}

const names = new Set(allSettings.map(({ flag }) => flag));
const options = Object.fromEntries([...names].map((name) => [name, { type: "string" as const }]));

/** The flags of a command line, as `--port 80` or `--port=80`. Throws a `SettingError` for an unknown flag and for a repeated one. */
export function readFlags(args: readonly string[]): Flags {
  const values = new Map<string, string>();
  let help = false;
  for (const token of tokensOf(args)) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional")
      throw new SettingError(
        `${token.value.slice(0, 100)}: this is no flag; write --name value (--help lists the names)`,
      );
    const { name, rawName, value, inlineValue } = token;
    if (name === "help") help = true;
    else if (!names.has(name))
      throw new SettingError(`Unknown option '${rawName.slice(0, 100)}'${suggestion(name)}`);
    // A value that starts with a dash is most likely the next flag, unless it follows an equals sign.
    else if (value === undefined || (value.startsWith("-") && inlineValue !== true))
      throw new SettingError(`${rawName}: its value is missing`);
    else if (values.has(name)) throw new SettingError(`${rawName}: it is given twice`);
    else values.set(name, value);
  }
  return { help, values };
}

/** Sets a flag in a command line, whether or not it is already there. */
export function withFlag(args: readonly string[], name: string, value: string): string[] {
  const taken = new Set<number>();
  for (const token of tokensOf(args)) {
    if (token.kind !== "option" || token.name !== name) continue;
    taken.add(token.index);
    if (token.inlineValue === false) taken.add(token.index + 1);
  }
  return [...args.filter((_, index) => !taken.has(index)), `--${name}=${value}`];
}

function tokensOf(args: readonly string[]) {
  const known = { ...options, help: { type: "boolean", short: "h" } } as const;
  return parseArgs({ args: [...args], options: known, strict: false, tokens: true }).tokens;
}

function suggestion(name: string): string {
  const byVariable = allSettings.find((setting) => setting.name.toLowerCase().replaceAll("_", "-") === name);
  const near =
    byVariable?.flag ?? nearestName(name, [...names, "help"], Math.min(3, Math.floor(name.length / 3)));
  return near === undefined ? "; --help lists them all" : `; did you mean --${near}?`;
}
