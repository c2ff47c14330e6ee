import { TroupeError } from "../../protocol/errors.ts";

/** Keys have at least this many characters; a shorter dummy key would occur in any sentence. */
const minSecretChars = 8;
/** Properties of errors of SDKs and of Node that are useful in the log. */
const keptProperties = ["code", "status", "type", "param", "requestID"] as const;
/** The call lines of a stack, without the message before them. */
const stackLines = /^\s+at .*$/gm;

/** When Node has tried all addresses of a name, its combined error has no message of its own. */
function messageOf(error: Error): string {
  if (error.message !== "" || !(error instanceof AggregateError)) return error.message;
  return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join(", ");
}

/** Returns the texts of a request; called only after a failure. */
type RequestTexts = () => readonly string[];

const none: RequestTexts = () => [];

/**
 * Takes secrets and the texts of a request out of errors. An upstream may repeat them in any part of its answer, and neither the client
 * nor the log may read them. Errors of SDKs carry whole answers, so only the texts and a few numbers of a cause are kept.
 */
export function createSecretMask(...secrets: readonly string[]) {
  const long = secrets.filter((secret) => secret.length >= minSecretChars);
  const withoutSecret = (text: string) =>
    long.reduce((masked, secret) => masked.replaceAll(secret, "[secret]"), text);

  function cause(thrown: unknown, textsOf: RequestTexts = none): unknown {
    const texts = textsOf();
    const mask = (text: string) => maskRequestTexts(withoutSecret(text), texts, withoutSecret);
    function plain(error: unknown): unknown {
      if (!(error instanceof Error)) return typeof error === "string" ? mask(error) : undefined;
      const copy = new Error(
        mask(messageOf(error)),
        error.cause === undefined ? undefined : { cause: plain(error.cause) },
      );
      copy.name = error.name;
      copy.stack = [`${copy.name}: ${copy.message}`, ...(error.stack?.match(stackLines) ?? [])].join("\n");
      for (const name of keptProperties) {
        const value: unknown = Reflect.get(error, name);
        if (typeof value === "number") Object.assign(copy, { [name]: value });
        if (typeof value === "string") Object.assign(copy, { [name]: mask(value) });
      }
      return copy;
    }
    return plain(thrown);
  }

  return {
    /** The same error without the secrets, and without the texts of the request. */
    error(thrown: TroupeError, textsOf: RequestTexts = none): TroupeError {
      const { code, field, detail, retryAfterMs, retryable, safeToRepeat, isUnread } = thrown;
      return new TroupeError(code, {
        retryable,
        safeToRepeat,
        ...(isUnread === undefined ? {} : { isUnread }),
        ...(field === undefined ? {} : { field }),
        ...(detail === undefined ? {} : { detail: withoutSecret(detail) }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(thrown.cause === undefined ? {} : { cause: cause(thrown.cause, textsOf) }),
      });
    },
    /** Masks any thrown value, for the log only. */
    cause,
  };
}

/** A vendor's message is cut to this length in the log. */
const maxMessageChars = 300;
/** A shorter word is masked only if the request has it as a whole word. */
const minPartChars = 4;
/** A word, or one character in scripts that do not separate words. */
const word =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]|[\p{L}\p{M}\p{N}_]+/gu;
/** Escaped characters in JSON, Python and URLs. */
const escaped = /\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|%([0-9a-f]{2})|\\[nrt]/gi;
/** A short word that occurs this often inside other words is masked without further search. */
const maxParts = 1_000;
const placeholder = "[text]";

/**
 * Masks every word of a vendor's message that also occurs in the texts of its request. Vendors quote texts that they refuse, and neither
 * the log nor a client may read those. The rest is cut to 300 characters. `withoutSecret` takes out the secrets that are quoted with escaped
 * characters.
 */
export function maskRequestTexts(
  message: string,
  texts: readonly string[],
  withoutSecret = (text: string) => text,
): string {
  const shown = withoutSecret(withoutEscapes(message));
  const cut = shown.length > maxMessageChars ? `${shown.slice(0, maxMessageChars)}…` : shown;
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
  const isPart = key.length >= minPartChars || (key.codePointAt(0) ?? 0) > 0x2e7f;
  let parts = 0;
  for (let at = text.indexOf(key); at >= 0; at = text.indexOf(key, at + 1)) {
    parts += 1;
    if (isPart || parts > maxParts || !(isWordChar(text[at - 1]) || isWordChar(text[at + key.length])))
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
