import { z } from "zod";

/** One setting: its environment variable, its allowed values, and one line of help. */
export interface Setting {
  readonly name: string;
  readonly schema: z.ZodType;
  readonly help: string;
  /** Several values, separated by commas. */
  readonly hasParts?: boolean;
  /** Several values, one a line. */
  readonly hasLines?: boolean;
  /** The lower-case variable counts too, and takes precedence, as in other tools that use proxies. */
  readonly lowerCaseToo?: boolean;
}

/** Text of one line. */
export const text = z.string().min(1);

/** `true` or `false`, also as `1`, `0`, `yes`, `no`, `on`, `off`; default false. */
export const flag = z.stringbool("true or false").default(false);

/** The same with the default true. */
export const switchedOn = z.stringbool("true or false").default(true);

/** A whole number of things. */
export const count = (fallback: number, least = 0) => z.coerce.number().int().min(least).default(fallback);

const timer = (least: number) => z.coerce.number().int().min(least).max(2_147_483_647);

/** Milliseconds up to the maximum of a system timer, because a longer one would fire at once. Without a fallback it may be absent. */
export function duration(fallback: number, least?: number): z.ZodDefault<ReturnType<typeof timer>>;
export function duration(fallback: undefined, least?: number): z.ZodOptional<ReturnType<typeof timer>>;
export function duration(fallback: number | undefined, least = 0) {
  return fallback === undefined ? timer(least).optional() : timer(least).default(fallback);
}

/** Values separated by commas. */
export const list = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);
