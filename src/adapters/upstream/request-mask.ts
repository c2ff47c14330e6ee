/** More of a vendor's message is not logged. */
const mostMessageChars = 300;
/** A shorter word is masked only where the request has it as a word. */
const leastPartChars = 4;
/** A word; of scripts that do not part their words, each character. */
const word =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]|[\p{L}\p{M}\p{N}_]+/gu;
/** How JSON, Python and addresses write a character otherwise. */
const escaped = /\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|%([0-9a-f]{2})|\\[nrt]/gi;
/** A short word that is found so often as a part of others is masked without looking further. */
const mostParts = 1_000;
const placeholder = "[text]";

/**
 * Takes out of a vendor's message every word that the texts of its request have as well: vendors quote what they refuse, whole or in
 * part, and neither the log nor a client may read it. What stays is cut to 300 characters.
 */
export function maskRequestTexts(message: string, texts: readonly string[]): string {
  const shown = withoutEscapes(message);
  const cut = shown.length > mostMessageChars ? `${shown.slice(0, mostMessageChars)}…` : shown;
  // The last word may be half of one.
  const whole = cut === shown ? cut : cut.replace(/[\p{L}\p{M}\p{N}_]*…$/u, "…");
  if (texts.length === 0) return whole;
  const lower = texts.map((text) => text.toLowerCase());
  const known = new Map<string, boolean>();
  const isOfRequest = (found: string): boolean => {
    const key = found.toLowerCase();
    const isKnown = known.get(key) ?? lower.some((text) => hasWord(text, key));
    known.set(key, isKnown);
    return isKnown;
  };
  const masked = whole.replace(word, (found) => (isOfRequest(found) ? placeholder : found));
  // What stands between two words of the request belongs to them.
  return masked.replace(/\[text\](?:[^\p{L}\p{N}[\]]*\[text\])+/gu, placeholder);
}

function hasWord(text: string, key: string): boolean {
  const isPart = key.length >= leastPartChars || (key.codePointAt(0) ?? 0) > 0x2e7f;
  let parts = 0;
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + 1)) {
    parts += 1;
    if (isPart || parts > mostParts || !(isWordChar(text[at - 1]) || isWordChar(text[at + key.length])))
      return true;
  }
  return false;
}

function isWordChar(char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{M}\p{N}_]/u.test(char);
}

function withoutEscapes(text: string): string {
  return text.replace(escaped, (_all, unicode?: string, hex?: string, percent?: string) => {
    const code = unicode ?? hex ?? percent;
    return code === undefined ? " " : String.fromCharCode(Number.parseInt(code, 16));
  });
}

/** Fields whose own fields have names of the client's choice. */
const namedByClient: ReadonlySet<string> = new Set(["metadata", "properties", "variables"]);

/** Every text in a value of JSON, with the names that a client has given to fields. */
export function textsIn(value: unknown, name = ""): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null) return [];
  const names = namedByClient.has(name) ? Object.keys(value) : [];
  return [...names, ...Object.entries(value).flatMap(([key, inner]) => textsIn(inner, key))];
}
