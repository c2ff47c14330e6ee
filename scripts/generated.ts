import { asyncApiGenerator } from "./async-api.ts";
import { pageGenerator } from "./build-page.ts";
import { configSchemaGenerator } from "./config-schema.ts";
import type { Generator } from "./generator.ts";
import { protocolGenerator } from "./protocol-tables.ts";
import { recordGenerators } from "./record-tables.ts";
import { settingsGenerator } from "./settings-table.ts";

/** Every generated file. `npm run generate` writes them all; `npm run check` compares them. */
export const generators: readonly Generator[] = [
  pageGenerator,
  protocolGenerator,
  asyncApiGenerator,
  settingsGenerator,
  configSchemaGenerator,
  ...recordGenerators,
];
