import { z } from "zod";

/** `true` or `false`, also as `1`, `0`, `yes`, `no`, `on`, `off`; default false. */
export const flag = z.stringbool().default(false);

/** A number of things. */
export const count = (fallback: number, least = 0) => z.coerce.number().int().min(least).default(fallback);

/** Milliseconds, as far as a timer of the system reaches: a longer one would fire at once. */
export const duration = (fallback: number, least = 0) =>
  z.coerce.number().int().min(least).max(2_147_483_647).default(fallback);

/** What stands between commas. */
export const list = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);
