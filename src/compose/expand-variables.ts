import { SettingError } from "./settings.ts";

const maxDepth = 8;
/** A text with its variables. Without a bound, a small file could name one large variable a million times. */
const maxChars = 16_384;

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Replaces `${NAME}` in every text of a file's content by the environment's variable of that name. Throws a `SettingError` that names the
 * place and the variable if the variable is not set. Content deeper than a file may be stays as it is.
 */
export function expandVariables(content: unknown, shown: string, variables: Variables): unknown {
  function expand(value: unknown, place: readonly string[]): unknown {
    if (typeof value === "string") return expandText(value, place);
    if (typeof value !== "object" || value === null || place.length > maxDepth) return value;
    if (Array.isArray(value)) return value.map((item, at) => expand(item, [...place, String(at)]));
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, expand(inner, [...place, key])]),
    );
  }

  function expandText(text: string, place: readonly string[]): string {
    const where = `${shown}: ${place.join(".").slice(0, 200)}`;
    let chars = 0;
    return text.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}/g, (_, name: string) => {
      const value = variables[name];
      if (value === undefined || value.trim() === "")
        throw new SettingError(`${where}: the environment has no ${name}`);
      chars += value.length;
      if (chars > maxChars) throw new SettingError(`${where} is too long with its variables`);
      return value;
    });
  }

  return expand(content, []);
}
