import { createMemoryKeys } from "../../../src/adapters/memory/memory-keys.ts";
import { describeKeyStore } from "../../ports/key-store-contract.ts";
import { createTestClock } from "../../support/test-clock.ts";

describeKeyStore("memory", async () => ({
  store: createMemoryKeys({ clock: createTestClock() }),
  [Symbol.asyncDispose]: async () => undefined,
}));
