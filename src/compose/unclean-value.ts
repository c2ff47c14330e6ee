/** Invisible characters: controls, formats such as U+200B and U+FEFF, line separators, and unusual spaces. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]|(?! )\p{Zs}/u;
const quotes = /^(["'`\u201c\u201d\u2018\u2019])[\s\S]*(["'`\u201c\u201d\u2018\u2019])$/;

/** White space around one of several values. `trim` would also remove invisible characters, and so hide them. */
const around = /^[ \t\r\n]+|[ \t\r\n]+$/g;

interface ValueForm {
  /** Several values separated by commas; spaces and line breaks may surround each. */
  readonly hasParts?: boolean | undefined;
  /** Several values, one a line. */
  readonly hasLines?: boolean | undefined;
}

/**
 * Finds characters that were copied by accident: a line break from a file, an invisible character from a web page, quotes that a shell
 * would remove. `undefined` for a clean value. The value is not quoted, because it may be a key.
 */
export function whyUnclean(
  value: string,
  { hasParts = false, hasLines = false }: ValueForm = {},
): string | undefined {
  if (quotes.test(value.trim())) return "it has quotes around it; leave them out";
  if (hasParts) return firstOf(value.split(",").map((part) => whyUnclean(part.replace(around, ""))));
  if (hasLines) return firstOf(value.split("\n").map((line) => whyUnclean(line.replace(around, ""))));
  if (/^[ \t]|[ \t]$/.test(value))
    return `it has a space ${/^[ \t]/.test(value) ? "before" : "after"} it; leave it out`;
  if (/^[\r\n]|[\r\n]$/.test(value))
    return `it has a line break ${/^[\r\n]/.test(value) ? "before" : "after"} it; leave it out`;
  const found = invisible.exec(value);
  if (found === null) return undefined;
  if (/[\r\n]/.test(found[0])) return "it has a line break in it; it must be one line";
  const code = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `it has an invisible character (U+${code}) as its character ${found.index + 1}; leave it out`;
}

function firstOf(faults: readonly (string | undefined)[]): string | undefined {
  return faults.find((fault) => fault !== undefined);
}
