import { describe, it } from "node:test";
import { checkDecodeCosts } from "./decode-cost.ts";

describe("the most expensive megabyte in every field", () => {
  it("costs a small multiple of parsing it, in time and memory, refused or not", async (test) => {
    test.diagnostic(await checkDecodeCosts(61));
  });
});
