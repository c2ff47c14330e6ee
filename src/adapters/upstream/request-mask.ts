/** A vendor's message is cut to this length in the log. */
const mostMessageChars = 300;
/** A shorter word is masked only if the request has it as a whole word. */
const leastPartChars = 4;
/** A word, or one character in scripts that do not separate words. */
const word =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]|[\p{L}\p{M}\p{N}_]+/gu;
/** Escaped characters in JSON, Python and URLs. */
const escaped = /\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|%([0-9a-f]{2})|\\[nrt]/gi;
/** A short word that occurs this often inside other words is masked without further search. */
const mostParts = 1_000;
const placeholder = "[text]";

/**
 * Masks every word of a vendor's message that also occurs in the texts of its request. Vendors quote texts that they refuse, and neither
 * the log nor a client may read those. The rest is cut to 300 characters.
 */
export function maskRequestTexts(message: string, texts: readonly string[]): string {
  const shown = withoutEscapes(message);
  const cut = shown.length > mostMessageChars ? `${shown.slice(0, mostMessageChars)}…` : shown;
  // The cut may have halved the last word.
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
  // The characters between two words of the request belong to the request.
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

/** Objects whose field names the client chooses. */
const namedByClient: ReadonlySet<string> = new Set(["metadata", "properties", "variables"]);

/** Every text in a JSON value, including field names that the client chose. */
export function textsIn(value: unknown, name = ""): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null) return [];
  const names = namedByClient.has(name) ? Object.keys(value) : [];
  return [...names, ...Object.entries(value).flatMap(([key, inner]) => textsIn(inner, key))];
}
