import { TroupeError } from "../../protocol/errors.ts";
import { maskRequestTexts } from "./request-mask.ts";

/** Keys are longer than this; a placeholder for no key would be found in any sentence. */
const shortestSecretChars = 8;
/** What an error of an SDK or of Node says beside its message and is worth a log line. */
const keptProperties = ["code", "status", "type", "param", "requestID"] as const;
/** The lines of a stack, without the message before them. */
const stackLines = /^\s+at .*$/gm;

/** Node tries all addresses of a name, and its error for all of them says nothing by itself. */
function messageOf(error: Error): string {
  if (error.message !== "" || !(error instanceof AggregateError)) return error.message;
  return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join(", ");
}

/** Gives the texts of a request; asked only when something has failed. */
export type RequestTexts = () => readonly string[];

const none: RequestTexts = () => [];

/**
 * Takes secrets, and the texts of a request, out of errors: an upstream may repeat what it was sent, in any part of its answer, and
 * neither the client nor the log may read it. Errors of SDKs carry whole answers, so of a cause only its texts and a few figures stay.
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
    /** Anything thrown, for the log only. */
    cause,
  };
}
