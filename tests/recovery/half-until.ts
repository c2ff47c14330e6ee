import type { Provider } from "../../src/ports/provider.ts";

/** Says half of an answer, and then nothing until `opened` settles: it closes its connection only then, even if it is stopped. */
export function halfUntil(opened: Promise<unknown>): Provider {
  return {
    name: "half",
    simulated: false,
    async *stream(_, { signal }) {
      yield [{ type: "text", text: "Half" }];
      await opened;
      signal.throwIfAborted();
      throw new Error("The test has stopped no call.");
    },
  };
}
