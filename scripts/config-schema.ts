import { z } from "zod";
import { configSchema } from "../src/compose/config-file.ts";
import type { Generator } from "./generator.ts";

/** The JSON Schema of `troupe.json`, by which editors complete the file. It is made from the decoder. */
export const configSchemaGenerator: Generator = {
  name: "schema of the config file",
  source: "src/compose/config-file.ts",
  outputFile: "docs/troupe.schema.json",
  async render() {
    const { $schema, ...rest } = z.toJSONSchema(configSchema, { io: "input", target: "draft-7" });
    const titled = { $schema, title: "The config file of Troupe, troupe.json", ...rest };
    return `${JSON.stringify(titled, undefined, 2)}\n`;
  },
};
