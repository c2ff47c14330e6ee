import { describe, it } from "node:test";
import { checkDecodeCosts } from "../fuzz/decode-cost.ts";

describe("the most expensive megabyte in every field", () => {
  it("costs a small multiple of parsing it, in time and memory, with every value in every field", async () => {
    console.log(await checkDecodeCosts(1));
  });
});
