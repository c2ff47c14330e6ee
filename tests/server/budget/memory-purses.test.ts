import { describeSharedPurses } from "../../ports/shared-purses-contract.ts";
import { createMemoryPurses } from "../../support/memory-purses.ts";

describeSharedPurses("the double of the tests", async () => {
  const purses = createMemoryPurses();
  return {
    first: purses.join("first"),
    second: purses.join("second"),
    leave: async (calls) => purses.leave("second", calls),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
