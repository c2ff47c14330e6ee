import { TroupeError } from "../../protocol/errors.ts";

/** Keys are longer than this; a placeholder for no key would be found in any sentence. */
const shortestSecretChars = 8;
/** What an error of an SDK or of Node says beside its message and is worth a log line. */
const keptProperties = ["code", "status", "requestID"] as const;

/**
 * Takes a secret out of errors: an upstream may repeat the key that it was sent, in any part of its answer, and neither the
 * client nor the log may read it. Errors of SDKs carry whole answers, so of a cause only its texts and a few figures stay.
 */
export function createSecretMask(secret: string) {
  const mask = (text: string) =>
    secret.length < shortestSecretChars ? text : text.replaceAll(secret, "[secret]");

  function cause(thrown: unknown): unknown {
    if (!(thrown instanceof Error)) return typeof thrown === "string" ? mask(thrown) : undefined;
    const plain = new Error(
      mask(thrown.message),
      thrown.cause === undefined ? undefined : { cause: cause(thrown.cause) },
    );
    plain.name = thrown.name;
    plain.stack = mask(thrown.stack ?? "");
    for (const name of keptProperties) {
      const value: unknown = Reflect.get(thrown, name);
      if (typeof value === "number") Object.assign(plain, { [name]: value });
      if (typeof value === "string") Object.assign(plain, { [name]: mask(value) });
    }
    return plain;
  }

  return {
    /** The same error without the secret. */
    error(thrown: TroupeError): TroupeError {
      const { code, field, detail, retryAfterMs, retryable, safeToRepeat, isUnread } = thrown;
      return new TroupeError(code, {
        retryable,
        safeToRepeat,
        ...(isUnread === undefined ? {} : { isUnread }),
        ...(field === undefined ? {} : { field }),
        ...(detail === undefined ? {} : { detail: mask(detail) }),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(thrown.cause === undefined ? {} : { cause: cause(thrown.cause) }),
      });
    },
    /** Anything thrown, for the log only. */
    cause,
  };
}
