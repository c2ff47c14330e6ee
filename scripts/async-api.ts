import { asyncApi } from "../src/protocol/async-api.ts";
import type { Generator } from "./generator.ts";

/** The file that a server serves at `/asyncapi.json`. */
export const asyncApiGenerator: Generator = {
  name: "AsyncAPI document",
  source: "src/protocol",
  outputFile: "docs/asyncapi.json",
  render: async () => `${JSON.stringify(asyncApi(), undefined, 2)}\n`,
};
