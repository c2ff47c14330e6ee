import type { Provider } from "../../src/ports/provider.ts";

/** Says half of an answer, then waits until it is stopped. */
export const hanging: Provider = {
  name: "hanging",
  simulated: false,
  async *stream(_, { signal }) {
    yield [{ type: "text", text: "Half" }];
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    signal.throwIfAborted();
  },
};

/** Answers at once. */
export const whole: Provider = {
  name: "whole",
  simulated: false,
  async *stream() {
    yield [
      { type: "text", text: "Whole." },
      { type: "end", finishReason: "stop", model: "m" },
    ];
  },
};
