import { z } from "zod";
import type { UsageSums } from "../../../ports/usage-store.ts";
import type { Methods } from "./remote-port.ts";

const day = z.int();

/** The methods of usage sums, for calls between processes. */
export const usageMethods: Methods<UsageSums> = { sums: z.tuple([z.string(), day, day]) };
