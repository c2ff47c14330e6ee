import { TroupeError } from "../../protocol/errors.ts";
import { maskRequestTexts } from "./request-mask.ts";

/** Keys have at least this many characters; a shorter dummy key would occur in any sentence. */
const shortestSecretChars = 8;
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
  const long = secrets.filter((secret) => secret.length >= shortestSecretChars);
  const withoutSecret = (text: string) =>
    long.reduce((masked, secret) => masked.replaceAll(secret, "[secret]"), text);

  function cause(thrown: unknown, textsOf: RequestTexts = none): unknown {
    const texts = textsOf();
    const mask = (text: string) => maskRequestTexts(withoutSecret(text), texts);
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
