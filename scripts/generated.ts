import { pageGenerator } from "./build-page.ts";
import type { Generator } from "./generator.ts";

/** Every generated file. `npm run generate` writes them all; `npm run check` compares them. */
export const generators: readonly Generator[] = [pageGenerator];
