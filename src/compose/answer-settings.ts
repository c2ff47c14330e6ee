import { z } from "zod";
import { count, duration } from "./setting-kinds.ts";

/** The settings of answers: their rhythm, their context and their time. */
export const answerSettings = {
  pacing: {
    name: "TROUPE_PACING",
    schema: z.enum(["natural", "fixed", "raw"]).default("natural"),
    help: "how answers are timed unless the request says: natural, fixed or raw",
  },
  contextChars: {
    name: "TROUPE_CONTEXT_CHARS",
    schema: count(60_000, 1),
    help: "max characters of earlier messages that a persona is given",
  },
  turnLimitMs: {
    name: "TROUPE_TURN_LIMIT_MS",
    schema: duration(30 * 60_000, 1),
    help: "max duration of a request",
  },
  unnamedGraceMs: {
    name: "TROUPE_UNNAMED_GRACE_MS",
    schema: duration(10_000),
    help: "how long a request without an id outlives its socket",
  },
} as const;
