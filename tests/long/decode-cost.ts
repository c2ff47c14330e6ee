import { describe, it } from "node:test";
import { checkDecodeCosts } from "../fuzz/decode-cost.ts";

/** Tries one in this many combinations of a field and a value; 1 tries all, which takes a quarter of an hour. */
const share = Number(process.env.DECODE_COST_SHARE ?? 13);

describe("the most expensive megabyte in every field", () => {
  it("costs a small multiple of parsing it, in time and memory", async () => {
    console.log(await checkDecodeCosts(share));
  });
});
