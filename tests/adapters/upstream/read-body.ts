import type { UpstreamCall } from "../../../src/adapters/upstream/upstream-call.ts";

/** Yields the pieces of a body, and asks for each one only when the reader does. */
export async function* readBody(call: Pick<UpstreamCall, "read">): AsyncGenerator<Uint8Array, undefined> {
  let heard = Promise.withResolvers<Uint8Array | undefined>();
  const reader = call.read({
    onBytes: (bytes) => heard.resolve(bytes),
    onEnd: () => heard.resolve(undefined),
    onError: (error) => heard.reject(error),
  });
  try {
    for (;;) {
      reader.ask();
      const bytes = await heard.promise;
      if (bytes === undefined) return undefined;
      heard = Promise.withResolvers();
      yield bytes;
    }
  } finally {
    reader.leave();
  }
}
